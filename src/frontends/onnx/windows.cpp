#include "frontends/onnx/windows.h"

namespace godwit::frontends::onnx {

Windows windows_of(const Call& c, const Value* x, const ir::Dims& kernel) {
  const auto n = kernel.size();
  if (x->rank() != static_cast<int64_t>(n) + 2) c.fail("{} window axes for an input of rank {}", n, x->rank());
  const std::vector<int64_t> ones(n, 1);
  Windows w{kernel, to_dims(c.integers("strides", ones)), {}, {}, to_dims(c.integers("dilations", ones))};
  const std::vector<int64_t> pads = c.integers("pads", std::vector<int64_t>(2 * n, 0));
  if (w.stride.size() != n || w.dilation.size() != n || pads.size() != 2 * n)
    c.fail("strides, pads or dilations do not fit {} axes", n);
  for (size_t i = 0; i < n; ++i)
    if (w.stride[i].value() <= 0 || w.dilation[i].value() <= 0) c.fail("strides and dilations must be positive");
  const std::string auto_pad = c.text("auto_pad", "NOTSET");
  for (size_t i = 0; i < n; ++i) {
    if (auto_pad == "NOTSET" || auto_pad == "VALID" || auto_pad.empty()) {
      w.low.push_back(auto_pad == "VALID" ? 0 : pads[i]);
      w.high.push_back(auto_pad == "VALID" ? 0 : pads[n + i]);
      continue;
    }
    if (auto_pad != "SAME_UPPER" && auto_pad != "SAME_LOWER") c.fail("unknown auto_pad '{}'", auto_pad);
    const ir::Dim in = x->shape()[2 + i], span = (kernel[i] - 1) * w.dilation[i] + 1;
    const ir::Dim total = max((ceildiv(in, w.stride[i]) - 1) * w.stride[i] + span - in, 0), half = floordiv(total, 2);
    w.low.push_back(auto_pad == "SAME_UPPER" ? half : total - half);
    w.high.push_back(total - w.low.back());
  }
  return w;
}

}  // namespace godwit::frontends::onnx
