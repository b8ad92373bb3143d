#include "ops/affine.h"

#include <mlx/device.h>
#include <mlx/ops.h>

#include <limits>

#include "base/error.h"
#include "ops/families.h"
#include "ops/index_places.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

bool is_affine_bits(int64_t bits) { return bits == 4 || bits == 8; }
bool is_affine_group(int64_t group_size) { return group_size == 32 || group_size == 64 || group_size == 128; }

namespace {

// MLX's kernels on the CPU sum half types in their own precision: bfloat16 would be off by percents.
bool sums_in_float32(const array& x) { return x.dtype() != mx::float32 && mx::default_device() == mx::Device::cpu; }

array product(const array& x, const array& weight, const array& scales, const array& biases, int bits, int group_size) {
  if (!sums_in_float32(x)) return mx::quantized_matmul(x, weight, scales, biases, true, group_size, bits);
  auto wide = [](const array& a) { return mx::astype(a, mx::float32); };
  array out = mx::quantized_matmul(wide(x), weight, wide(scales), wide(biases), true, group_size, bits);
  return mx::astype(out, x.dtype());
}

}  // namespace

array quantized_linear(const array& x, const array& weight, const array& scales, const array& biases,
                       const std::optional<array>& bias, int bits, int group_size) {
  mx::Shape shape = x.shape();
  shape.back() = weight.shape(0);
  const bool is_empty = x.size() == 0 || weight.size() == 0;
  array out = is_empty ? mx::zeros(shape, x.dtype()) : product(x, weight, scales, biases, bits, group_size);
  return bias ? mx::add(out, *bias) : out;
}

array quantized_take(const array& indices, const array& weight, const array& scales, const array& biases, int bits,
                     int group_size) {
  const int rows = weight.shape(0), columns = scales.shape(1) * group_size;
  require<UsageError>(rows > 0 || indices.size() == 0, "[quantized_take] {} indices into no rows", indices.size());
  mx::Shape shape = indices.shape();
  shape.push_back(columns);
  if (indices.size() == 0 || columns == 0) return mx::zeros(shape, scales.dtype());
  const array at = mx::flatten(places::inside(indices, rows));
  auto picked = [&](const array& a) { return mx::take(a, at, 0); };
  array out = mx::dequantize(picked(weight), picked(scales), picked(biases), group_size, bits);
  return mx::reshape(out, shape);
}

namespace {

using infer::Types;

// Operands weight, scales, biases from `first` on. Returns the number of input features.
ir::Dim check_affine(InferContext& c, size_t first) {
  const int64_t bits = c.number("bits"), group = c.number("group_size");
  if (!is_affine_bits(bits)) c.fail("{} bits; 4 or 8 are supported", bits);
  if (!is_affine_group(group)) c.fail("groups of {}; 32, 64 or 128 are supported", group);
  if (c.dtype(first) != DType::u32) c.fail("the weight is {}, packed u32 is needed", name(c.dtype(first)));
  for (size_t i = first; i < first + 3; ++i)
    if (c.rank(i) != 2) c.fail("operand {} is {}, a matrix is needed", i, ir::str(c.shape(i)));
  const ir::Shape &weight = c.shape(first), &scales = c.shape(first + 1), &biases = c.shape(first + 2);
  const DType dtype = c.dtype(first + 1);
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16)
    c.fail("the scales are {}, float32, float16 or bfloat16 is needed", name(dtype));
  if (c.dtype(first + 2) != dtype) c.fail("scales are {}, biases {}", name(dtype), name(c.dtype(first + 2)));
  for (size_t axis : {0, 1})
    if (!checks::may_equal(scales[axis], biases[axis]))
      c.fail("scales {} and biases {} differ", ir::str(scales), ir::str(biases));
  const ir::Dim features = scales[1] * ir::Dim(group);
  if (features.is_known() && features.value() > std::numeric_limits<int>::max())
    c.fail("{} features are more than an axis can have", features.str());
  const ir::Dim words = scales[1] * ir::Dim(group * bits / 32);
  if (!checks::may_equal(weight[0], scales[0]) || !checks::may_equal(weight[1], words))
    c.fail("scales {} for groups of {} need a weight of [{}, {}] with {} bits, it is {}", ir::str(scales), group,
           scales[0].str(), words.str(), bits, ir::str(weight));
  return features;
}

Types quantized_linear_type(InferContext& c) {
  const ir::Dim features = check_affine(c, 1);
  if (c.rank(0) == 0) c.fail("a scalar has no features");
  if (c.dtype(0) != c.dtype(2)) c.fail("input is {}, scales are {}", name(c.dtype(0)), name(c.dtype(2)));
  if (!checks::may_equal(c.shape(0).back(), features))
    c.fail("weight {} with {} bits expects {} features, the input has {}", ir::str(c.shape(1)), c.number("bits"),
           features.str(), c.shape(0).back().str());
  ir::Shape out = c.shape(0);
  out.back() = c.shape(1)[0];
  if (c.has(4)) {
    if (c.dtype(4) != c.dtype(0)) c.fail("input is {}, bias {}", name(c.dtype(0)), name(c.dtype(4)));
    if (c.rank(4) != 1 || !checks::may_equal(c.shape(4)[0], out.back()))
      c.fail("bias {} for {} features", ir::str(c.shape(4)), out.back().str());
  }
  return {{c.dtype(0), out}};
}

Types quantized_take_type(InferContext& c) {
  checks::indices(c, 0);
  const ir::Dim features = check_affine(c, 1);
  ir::Shape out = c.shape(0);
  out.push_back(features);
  return {{c.dtype(2), out}};
}

}  // namespace

Rows affine_rows() {
  Rows rows;
  rows.push_back(row("quantized_linear", &quantized_linear, "x, weight, scales, biases, bias?, bits, group_size",
                     quantized_linear_type));
  rows.push_back(
      row("quantized_take", &quantized_take, "indices, weight, scales, biases, bits, group_size", quantized_take_type));
  return rows;
}

}  // namespace godwit::ops
