// Strides, paddings and dilations of convolutions and pools.
#pragma once

#include "frontends/onnx/common.h"

namespace godwit::frontends::onnx {

struct Windows {
  ir::Dims kernel, stride, low, high, dilation;  // one entry per spatial axis
};

// Reads strides, pads, dilations and auto_pad of a node whose input is `x` (N, C, spatial...).
Windows windows_of(const Call& c, const Value* x, const ir::Dims& kernel);

}  // namespace godwit::frontends::onnx
