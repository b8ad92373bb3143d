// Fourier transforms, windows, mel filters.
#include <cmath>
#include <numbers>

#include "frontends/onnx/attention.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

// (..., 1) or (..., 2) to complex values of one axis less.
Value* to_complex(Call& c, Value* x) {
  const int64_t last = x->rank() - 1;
  auto part = [&](int64_t i) { return c.op("squeeze", {slice(c, x, last, i, i + 1)}, {{"axes", ir::Dims{last}}}); };
  Value* re = c.cast(part(0), DType::f32);
  Value* im = c.shape(x, 1).back().is(2) ? c.cast(part(1), DType::f32) : multiply(c, re, 0.0);
  return c.op("complex", {re, im});
}

Value* to_pairs(Call& c, Value* x, DType type) {
  const int64_t last = x->rank();
  Value* both = c.op("concat", {expand(c, c.op("real", {x}), {last}), expand(c, c.op("imag", {x}), {last})},
                     {{"axis", ir::Dim(last)}});
  return c.cast(both, type);
}

Value* transform(Call& c, std::string_view op, Value* x, int64_t axis, const ir::Dim& n) {
  return c.op(op, {x}, {{"axis", ir::Dim(axis)}, {"n", n}});
}

Value* real_part(Call& c, Value* x) {
  const int64_t last = x->rank() - 1;
  return c.cast(c.op("squeeze", {slice(c, x, last, 0, 1)}, {{"axes", ir::Dims{last}}}), DType::f32);
}

Values dft(Call& c) {
  Value* x = c.in(0);
  const int64_t axis = c.axis(c.opset < 20 ? c.integer("axis", 1) : c.has(2) ? c.number(2) : -2, x->rank());
  const bool inverse = c.flag("inverse"), onesided = c.flag("onesided");
  const ir::Dim own = c.size(x, axis);
  const ir::Dim n = c.has(1) ? c.dim(1) : inverse && onesided ? (own - 1) * ir::Dim(2) : own;
  if (axis == x->rank() - 1) c.fail("axis {} is that of the real and imaginary parts", axis);
  if (inverse && onesided) {
    Value* y = transform(c, "irfft", to_complex(c, x), axis, n);
    return {c.cast(expand(c, y, {y->rank()}), x->dtype())};
  }
  if (inverse) return {to_pairs(c, transform(c, "ifft", to_complex(c, x), axis, n), x->dtype())};
  if (onesided && c.shape(x, 1).back().is(1))
    return {to_pairs(c, transform(c, "rfft", real_part(c, x), axis, n), x->dtype())};
  Value* y = transform(c, "fft", c.shape(x, 1).back().is(1) ? real_part(c, x) : to_complex(c, x), axis, n);
  if (onesided) y = slice(c, y, axis, 0, floordiv(n, 2) + 1);
  return {to_pairs(c, y, x->dtype())};
}

Values stft(Call& c) {
  Value *x = c.in(0), *window = c.maybe(2);  // (B, L, 1 or 2)
  if (x->rank() == 2) x = expand(c, x, {2});
  const ir::Dim step = c.dim(1);
  const ir::Dim size = c.has(3) ? c.dim(3) : window ? c.shape(window, 1)[0] : c.shape(x, 2)[1];
  const bool complex_input = c.shape(x, 1).back().is(2), onesided = c.flag("onesided", true);
  if (complex_input && onesided) c.fail("a complex signal has no one-sided spectrum");
  Value* frames = c.op("unfold", {x}, {{"axis", ir::Dim(1)}, {"size", size}, {"step", step}});  // (B, F, 1 or 2, size)
  if (window) frames = multiply(c, frames, c.cast(window, frames->dtype()));
  frames = transpose(c, frames, {0, 1, 3, 2});
  Value* spectrum = onesided ? transform(c, "rfft", real_part(c, frames), 2, size)
                             : transform(c, "fft", to_complex(c, frames), 2, size);
  return {to_pairs(c, spectrum, x->dtype())};
}

// sum of a_k cos(2 pi k i / N)
Row window(std::string name, std::vector<double> terms) {
  return {std::move(name), [terms = std::move(terms)](Call& c) -> Values {
            const ir::Dim size = c.dim(0);
            const DType type = c.dtype_attribute("output_datatype", DType::f32);
            const DType at = type == DType::f64 ? DType::f64 : DType::f32;
            Value* n = c.cast(positions(c, size), at);
            Value* period = c.cast(c.b.dim(c.flag("periodic", true) ? size : max(size - 1, 1)), at);
            Value* angle = divide(c, multiply(c, n, 2 * std::numbers::pi), period);
            Value* y = nullptr;
            for (size_t k = 1; k < terms.size(); ++k) {
              Value* term = multiply(c, c.op("cos", {multiply(c, angle, static_cast<double>(k))}), terms[k]);
              y = y ? add(c, y, term) : add(c, term, terms[0]);
            }
            return {c.cast(y, type)};
          }};
}

// (spectrogram bins, mel bins): everything is known, so it is computed here.
Values mel_weights(Call& c) {
  const int64_t mels = c.number(0), length = c.number(1), rate = c.number(2);
  const double low = c.constant(3), high = c.constant(4);
  if (mels <= 0 || length <= 0 || rate <= 0 || mels > 1 << 16 || length > 1 << 24) c.fail("sizes are out of range");
  const int64_t bins = length / 2 + 1;
  if (mels * bins > 1 << 26) c.fail("{} x {} weights are too many", bins, mels);
  auto to_mel = [](double hz) { return 2595 * std::log10(1 + hz / 700); };
  const double first = to_mel(low), step = (to_mel(high) - first) / static_cast<double>(mels + 2);
  std::vector<int64_t> edges;
  for (int64_t i = 0; i < mels + 2; ++i) {
    const double hz = 700 * (std::pow(10, (static_cast<double>(i) * step + first) / 2595) - 1);
    edges.push_back(static_cast<int64_t>(static_cast<double>(length + 1) * hz / static_cast<double>(rate)));
  }
  std::vector<float> weights(static_cast<size_t>(bins * mels), 0.0f);
  for (int64_t m = 0; m < mels; ++m) {
    const auto k = static_cast<size_t>(m);
    const int64_t left = edges[k], centre = edges[k + 1], right = edges[k + 2];
    auto put = [&](int64_t bin, double value) {
      if (bin >= 0 && bin < bins) weights[static_cast<size_t>(bin * mels + m)] = static_cast<float>(value);
    };
    if (centre == left) put(centre, 1);
    for (int64_t j = left; centre != left && j <= centre; ++j)
      put(j, static_cast<double>(j - left) / static_cast<double>(centre - left));
    for (int64_t j = centre; right != centre && j < right; ++j)
      put(j, static_cast<double>(right - j) / static_cast<double>(right - centre));
  }
  const Tensor t = Tensor::of(DType::f32, {bins, mels}, weights);
  const std::string name = c.scope.prefix + c.node.outputs.at(0);
  return {c.cast(c.importer.tensor({name, t, {}}, name), c.dtype_attribute("output_datatype", DType::f32))};
}

}  // namespace

Rows signal_rows() {
  return {{"DFT", dft},
          {"STFT", stft},
          window("HannWindow", {0.5, -0.5}),
          window("HammingWindow", {25.0 / 46.0, -21.0 / 46.0}),
          window("BlackmanWindow", {0.42, -0.5, 0.08}),
          {"MelWeightMatrix", mel_weights}};
}

}  // namespace godwit::frontends::onnx
