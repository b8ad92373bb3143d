// Resampling: regular (resize) and at given places (grid_sample).
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// ONNX Resize, which holds torch's upsampling too. size, scales and roi (all starts, then all ends) follow `axes`.
//   mode          nearest linear cubic
//   coordinates   half_pixel align_corners asymmetric pytorch_half_pixel half_pixel_symmetric tf_crop_and_resize
//   scales        empty: size / input size
//   nearest       round_prefer_floor round_prefer_ceil floor ceil
// Source coordinates are computed in float32, as torch and onnxruntime do. `nearest` is computed in float64, where a
// tie does not hang on the last bit, but for torch's own two: asymmetric + floor and half_pixel + round_prefer_ceil.
array resize(const array& x, const Ints& axes, const Ints& size, const std::string& mode,
             const std::string& coordinates, const Reals& scales, const std::string& nearest, double cubic_a,
             bool antialias, bool exclude_outside, const Reals& roi, double extrapolation);

// Resize along one axis as a table: each of `out` result elements is the sum of `count` elements with weights, or the
// one element itself where there are no weights.
struct ResizeTable {
  int count = 1;
  std::vector<int32_t> index;  // (out, count), inside the input
  std::vector<float> weight;   // (out, count) or none
};
// `scale` as in resize; 0: none is given. tf_crop_and_resize has no table.
ResizeTable resize_table(int in, int out, const std::string& mode, const std::string& coordinates, double scale,
                         const std::string& nearest, double cubic_a, bool antialias, bool exclude_outside);

// x (N, C, spatial...), grid (N, out..., d) with d = 2 or 3 and coordinates in [-1, 1], the last spatial axis first.
//   mode nearest linear cubic, padding zeros border reflection
array grid_sample(const array& x, const array& grid, const std::string& mode, const std::string& padding,
                  bool align_corners);

}  // namespace godwit::ops
