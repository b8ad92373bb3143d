#include "ops/create.h"

#include <mlx/allocator.h>
#include <mlx/ops.h>
#include <mlx/random.h>
#include <mlx/transforms.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "ops/dtype.h"
#include "ops/families.h"
#include "ops/infer.h"
#include "ops/type_checks.h"

namespace godwit::ops {

namespace mx = mlx::core;

namespace {

mx::Shape shape_of(const Ints& shape, const char* op) {
  for (int d : shape) require<UsageError>(d >= 0, "[{}] negative dimension {} in a shape", op, d);
  return {shape.begin(), shape.end()};
}

// MLX multiplies dimensions without a check; more than this is a damaged file or a wrong input.
void bounded(const Ints& shape, const char* op) {
  std::vector<int64_t> wide(shape.begin(), shape.end());
  checked_size(wide);
  int64_t size = 1;
  for (int64_t d : wide) size *= d;
  require<UsageError>(size <= (int64_t{1} << 36), "[{}] {} elements asked for", op, size);
}

double as_number(const array& x) {
  array wide = mx::astype(x, mx::float64, mx::Device::cpu);
  wide.eval();
  return wide.item<double>();
}

int64_t as_integer(const array& x) {
  array wide = mx::astype(x, mx::int64);
  wide.eval();
  return wide.item<int64_t>();
}

array triangle(const array& x, int offset, bool lower) {
  const int rows = x.shape(-2), columns = x.shape(-1);
  array i = mx::expand_dims(mx::arange(0, rows), 1), j = mx::expand_dims(mx::arange(0, columns), 0);
  array gap = mx::subtract(j, i);
  array keep = lower ? mx::less_equal(gap, mx::array(offset)) : mx::greater_equal(gap, mx::array(offset));
  return mx::where(keep, x, mx::array(0, x.dtype()));
}

}  // namespace

array constant(const Tensor& value) {
  const Tensor flat = value.contiguous();
  mx::Shape shape;
  for (int64_t d : flat.shape) {
    require<UsageError>(d <= INT32_MAX, "[constant] {} has a dimension above 2^31", describe(flat));
    shape.push_back(static_cast<int32_t>(d));
  }
  require<UsageError>(flat.dtype != DType::c128, "[constant] complex128 has no MLX array");
  mx::allocator::Data buffer = mx::allocator::malloc(std::max<size_t>(flat.nbytes(), 1));
  if (flat.nbytes() > 0) std::memcpy(buffer.buffer().raw_ptr(), flat.data, flat.nbytes());
  return array(std::move(buffer), std::move(shape), mlx_dtype(flat.dtype));
}

array dims(const Ints& values) {
  std::vector<int64_t> wide(values.begin(), values.end());
  return array(wide.data(), {static_cast<int>(wide.size())}, mx::int64);
}

array dim(int value) { return array(static_cast<int64_t>(value), mx::int64); }

array full(const array& value, const Ints& shape) {
  bounded(shape, "full");
  return mx::broadcast_to(mx::reshape(value, {}), shape_of(shape, "full"));
}

array eye(int rows, int columns, int offset, DType dtype) {
  bounded({rows, columns}, "eye");
  if (offset <= -rows || offset >= columns) return mx::zeros({rows, columns}, mlx_dtype(dtype));
  return mx::eye(rows, columns, offset, mlx_dtype(dtype));
}

array arange(int start, int step, int count, DType dtype) {
  require<UsageError>(count >= 0, "[arange] the count is {}", count);
  array index = mx::astype(mx::arange(0, count), mx::int64);
  array value = mx::add(mx::multiply(index, array(static_cast<int64_t>(step), mx::int64)),
                        array(static_cast<int64_t>(start), mx::int64));
  return mx::astype(value, mlx_dtype(dtype));
}

array range(const array& start, const array& limit, const array& delta) {
  int64_t count;
  if (mx::issubdtype(start.dtype(), mx::inexact)) {
    double step = as_number(delta);
    require<UsageError>(step != 0 && !std::isnan(step), "[range] the step is {}", step);
    double length = std::ceil((as_number(limit) - as_number(start)) / step);
    require<UsageError>(length <= INT32_MAX, "[range] {} elements asked for", length);
    count = length > 0 ? static_cast<int64_t>(length) : 0;
  } else {
    __int128 gap = static_cast<__int128>(as_integer(limit)) - as_integer(start), step = as_integer(delta);
    require<UsageError>(step != 0, "[range] the step is 0");
    __int128 length = (gap + step - (step > 0 ? 1 : -1)) / step;
    require<UsageError>(length <= INT32_MAX, "[range] {} elements asked for", static_cast<int64_t>(length));
    count = (gap > 0) == (step > 0) && length > 0 ? static_cast<int64_t>(length) : 0;
  }
  array index = mx::astype(mx::arange(0, static_cast<int>(count)), start.dtype());
  return mx::add(mx::reshape(start, {}), mx::multiply(index, mx::reshape(delta, {})));
}

array linspace(const array& start, const array& stop, int count) {
  require<UsageError>(count >= 0, "[linspace] the count is {}", count);
  const mx::Dtype type = start.dtype(), wide = type == mx::float64 ? mx::float64 : mx::float32;
  array from = mx::reshape(mx::astype(start, wide), {}), to = mx::reshape(mx::astype(stop, wide), {});
  if (count == 1) return mx::reshape(start, {1});
  array index = mx::astype(mx::arange(0, count), wide);
  array step = mx::divide(mx::subtract(to, from), array(std::max(count - 1, 1), wide));
  // Each half is reckoned from its own end, so that both ends are exact.
  array back = mx::subtract(array(count - 1, wide), index);
  array head = mx::add(from, mx::multiply(step, index)), tail = mx::subtract(to, mx::multiply(step, back));
  return mx::astype(mx::where(mx::less(index, array(count / 2, wide)), head, tail), type);
}

array tri_lower(const array& x, int offset) { return triangle(x, offset, true); }
array tri_upper(const array& x, int offset) { return triangle(x, offset, false); }

array random_uniform(const Ints& shape, DType dtype) {
  bounded(shape, "random_uniform");
  mx::Shape s = shape_of(shape, "random_uniform");
  if (dtype == DType::f64) return mx::astype(mx::random::uniform(s, mx::float32), mx::float64);
  return mx::random::uniform(s, mlx_dtype(dtype));
}

array random_normal(const Ints& shape, DType dtype) {
  bounded(shape, "random_normal");
  mx::Shape s = shape_of(shape, "random_normal");
  if (dtype == DType::f64) return mx::astype(mx::random::normal(s, mx::float32), mx::float64);
  return mx::random::normal(s, mlx_dtype(dtype));
}

namespace {

using infer::Types;

Types constant_type(InferContext& c) {
  const Tensor& t = c.tensor("value");
  return {{t.dtype, ir::dims(t.shape)}};
}

Types dims_type(InferContext& c) {
  return {{DType::i64, ir::Shape{static_cast<int64_t>(c.integers("values").size())}}};
}
Types dim_type(InferContext&) { return {{DType::i64, ir::Shape{}}}; }

void nonnegative(InferContext& c, const ir::Dim& d) {
  if (d.is_known() && d.value() < 0) c.fail("negative dimension {}", d.value());
}

Types full_type(InferContext& c) {
  if (c.rank(0) != 0) c.fail("the value must be a scalar");
  for (const ir::Dim& d : c.integers("shape")) nonnegative(c, d);
  return {{c.dtype(0), c.integers("shape")}};
}

Types eye_type(InferContext& c) {
  nonnegative(c, c.integer("rows"));
  nonnegative(c, c.integer("columns"));
  return {{c.dtype_of("dtype"), ir::Shape{c.integer("rows"), c.integer("columns")}}};
}

Types arange_type(InferContext& c) {
  nonnegative(c, c.integer("count"));
  return {{c.dtype_of("dtype"), ir::Shape{c.integer("count")}}};
}

// The length, from operands that are known as dimensions.
ir::Dim range_length(InferContext& c) {
  const auto start = known_content(&c.input(0)), limit = known_content(&c.input(1)), delta = known_content(&c.input(2));
  if (!start || !limit || !delta || !delta->at(0).is_known() || delta->at(0).is(0)) return InferContext::fresh();
  const int64_t step = delta->at(0).value();
  if (step == std::numeric_limits<int64_t>::min()) return InferContext::fresh();
  const ir::Dim gap = step > 0 ? limit->at(0) - start->at(0) : start->at(0) - limit->at(0);
  const ir::Dim length = ceildiv(gap, ir::Dim(step > 0 ? step : -step));
  if (length.is_known()) return std::max<int64_t>(length.value(), 0);
  return is_at_least(gap, 0) ? length : max(length, 0);
}

Types range_type(InferContext& c) {
  checks::one_dtype(c);
  for (size_t i = 0; i < 3; ++i)
    if (c.rank(i) > 1 || (c.rank(i) == 1 && !checks::may_equal(c.shape(i)[0], 1)))
      c.fail("start, limit and delta must be scalars");
  return {{c.dtype(0), ir::Shape{is_integer(c.dtype(0)) ? range_length(c) : InferContext::fresh()}}};
}

Types linspace_type(InferContext& c) {
  checks::one_dtype(c);
  checks::floats(c);
  nonnegative(c, c.integer("count"));
  return {{c.dtype(0), ir::Shape{c.integer("count")}}};
}

Types triangle_type(InferContext& c) {
  if (c.rank(0) < 2) c.fail("a matrix is needed");
  return infer::same(c);
}

Types random_type(InferContext& c) {
  if (!is_float(c.dtype_of("dtype"))) c.fail("dtype is {}, a float is needed", name(c.dtype_of("dtype")));
  for (const ir::Dim& d : c.integers("shape")) nonnegative(c, d);
  return infer::shape_param(c);
}

}  // namespace

Rows create_rows() {
  Rows rows;
  auto add = [&](Op&& op) { rows.push_back(std::move(op)); };
  add(row("constant", &constant, "value", constant_type));
  add(row("dims", &dims, "values", dims_type));
  add(row("dim", &dim, "value", dim_type));
  add(row("full", &full, "value, shape", full_type));
  add(row("eye", &eye, "rows, columns, offset=0, dtype", eye_type));
  add(row("arange", &arange, "start, step=1, count, dtype", arange_type));
  add(row("range", &range, "start, limit, delta", range_type));
  add(row("linspace", &linspace, "start, stop, count", linspace_type));
  add(row("tri_lower", &tri_lower, "x, offset=0", triangle_type)
          .cpp("mx::tril({x}, {offset})")
          .python("mx.tril({x}, {offset})"));
  add(row("tri_upper", &tri_upper, "x, offset=0", triangle_type)
          .cpp("mx::triu({x}, {offset})")
          .python("mx.triu({x}, {offset})"));
  add(row("random_uniform", &random_uniform, "shape, dtype", random_type).impure());
  add(row("random_normal", &random_normal, "shape, dtype", random_type).impure());
  return rows;
}

}  // namespace godwit::ops
