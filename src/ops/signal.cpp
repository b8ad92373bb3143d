#include "ops/signal.h"

#include <mlx/mlx.h>

#include <cmath>
#include <numbers>

#include "ops/families.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

// Up to here a transform of real numbers on the CPU is a product with the matrix of roots in float64: for the price of
// a few more multiplications the result is the nearest float32, zeros included.
constexpr int longest_exact = 32;

// x with `size` elements along its last axis, cropped or padded with zeros.
array fitted(const array& x, int size) { return pad_spatial(x, {0}, {size - x.shape(-1)}, array(0.0f)); }

// Roots of unity exp(-2 pi i j k / n) as (n, columns), real and imaginary parts.
std::pair<array, array> roots(int n, int columns) {
  std::vector<double> real, imaginary;
  for (int j = 0; j < n; ++j)
    for (int k = 0; k < columns; ++k) {
      const double angle = -2 * std::numbers::pi * (j * k % n) / n;
      real.push_back(std::cos(angle));
      imaginary.push_back(std::sin(angle));
    }
  const mx::Shape shape{n, columns};
  return {array(real.begin(), shape, mx::float64), array(imaginary.begin(), shape, mx::float64)};
}

array exact_transform(const array& x, int axis, int n, int columns) {
  auto [c, s] = roots(n, columns);
  array y = mx::astype(fitted(mx::moveaxis(x, axis, -1), n), mx::float64);
  auto part = [&](const array& matrix) { return mx::astype(mx::matmul(y, matrix), mx::float32); };
  array pairs = packed(mx::stack({part(c), part(s)}, -1));
  return mx::moveaxis(mx::squeeze(mx::view(pairs, mx::complex64), -1), -1, axis);
}

bool exactly(const array& x, int n) {
  return on_cpu() && n <= longest_exact && x.size() > 0 && x.dtype() != mx::complex64;
}

}  // namespace

array fft(const array& x, int axis, int n) {
  if (exactly(x, n)) return exact_transform(x, axis, n, n);
  return mx::fft::fft(mx::astype(x, mx::complex64), n, axis);
}

array ifft(const array& x, int axis, int n) { return mx::fft::ifft(mx::astype(x, mx::complex64), n, axis); }

array rfft(const array& x, int axis, int n) {
  if (exactly(x, n)) return exact_transform(x, axis, n, n / 2 + 1);
  return mx::fft::rfft(mx::astype(x, mx::float32), n, axis);
}

array irfft(const array& x, int axis, int n) { return mx::fft::irfft(mx::astype(x, mx::complex64), n, axis); }

array overlap_add(const array& x, int step) {
  require<UsageError>(step > 0 && x.ndim() >= 2, "[overlap_add] the input is (..., frames, size), the step positive");
  return mx::astype(overlap(widen(x), step), x.dtype());
}

namespace {

using Types = infer::Types;

// Type of the result when its axis has `count` elements.
Types resized_axis(InferContext& c, DType dtype, const ir::Dim& count) {
  ir::Dim n = c.integer("n");
  if (c.rank(0) == 0) c.fail("the input is a scalar");
  if (n.is_known() && (n.value() < 1 || n.value() > 1 << 28)) c.fail("n {} is out of range", n.str());
  ir::Shape out = c.shape(0);
  out[static_cast<size_t>(c.axis(c.integer("axis"), c.rank(0)))] = count;
  return {{dtype, out}};
}

Types infer_fft(InferContext& c) { return resized_axis(c, DType::c64, c.integer("n")); }

Types infer_rfft(InferContext& c) {
  if (is_complex(c.dtype(0))) c.fail("a real input is expected");
  return resized_axis(c, DType::c64, floordiv(c.integer("n"), ir::Dim(2)) + ir::Dim(1));
}

Types infer_irfft(InferContext& c) { return resized_axis(c, DType::f32, c.integer("n")); }

Types infer_overlap_add(InferContext& c) {
  const ir::Shape& x = c.shape(0);
  if (x.size() < 2) c.fail("the input is (..., frames, size)");
  ir::Dim step = c.integer("step");
  if (step.is_known() && step.value() < 1) c.fail("step {} is out of range", step.str());
  ir::Shape out(x.begin(), x.end() - 2);
  const ir::Dim &frames = x[x.size() - 2], &size = x.back();
  out.push_back(frames.is(0) ? ir::Dim(0) : (frames - ir::Dim(1)) * step + size);
  return {{c.dtype(0), out}};
}

}  // namespace

Rows signal_rows() {
  Rows rows;
  rows.push_back(row("fft", &fft, "x, axis, n", infer_fft));
  rows.push_back(row("ifft", &ifft, "x, axis, n", infer_fft));
  rows.push_back(row("rfft", &rfft, "x, axis, n", infer_rfft));
  rows.push_back(row("irfft", &irfft, "x, axis, n", infer_irfft));
  rows.push_back(row("overlap_add", &overlap_add, "x, step", infer_overlap_add));
  return rows;
}

}  // namespace godwit::ops
