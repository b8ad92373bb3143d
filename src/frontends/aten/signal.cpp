// Fourier transforms.
#include <cmath>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

ir::Value* as_complex(Context& c, ir::Value* v) { return is_complex(v->dtype()) ? v : c.cast(v, DType::c64); }

ir::Value* times(Context& c, ir::Value* v, double factor) {
  return factor == 1.0 ? v : c.op("multiply", {v, c.to_tensor(Value(factor), v->dtype())});
}

// The op table scales inverses by 1/n, forward transforms not at all; `norm` asks for backward, ortho or forward.
double scale_of(Context& c, const std::string& norm, bool inverse, double n) {
  if (norm.empty() || norm == "backward") return 1;
  if (norm == "ortho") return inverse ? std::sqrt(n) : 1 / std::sqrt(n);
  if (norm == "forward") return inverse ? n : 1 / n;
  c.fail("norm '{}' is unknown", norm);
}

std::string norm_of(Context& c) { return c.has("norm") ? c.text("norm") : ""; }

double known(Context& c, const ir::Dim& d) {
  if (!d.is_known()) c.unsupported("scaling by a symbolic length {}", d.str());
  return static_cast<double>(d.value());
}

ir::Value* transform(Context& c, const char* op, ir::Value* x, int64_t axis, const ir::Dim& n,
                     const std::string& norm) {
  const std::string_view name = op;
  const bool inverse = name == "ifft" || name == "irfft";
  x = name == "rfft" ? c.floating(x) : as_complex(c, x);
  ir::Value* y = c.op(op, {x}, {{"axis", axis}, {"n", n}});
  return norm.empty() || norm == "backward" ? y : times(c, y, scale_of(c, norm, inverse, known(c, n)));
}

Translator one_axis(const char* op) {
  return [op](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    const int64_t axis = c.axis("dim", x->rank());
    const ir::Dim& size = x->shape().at(static_cast<size_t>(axis));
    const ir::Dim n = c.integer("n", std::string_view(op) == "irfft" ? (size - ir::Dim(1)) * ir::Dim(2) : size);
    return {c.result(transform(c, op, x, axis, n, norm_of(c)))};
  };
}

// fft2, fftn, rfftn ...: the last axis first for rfft, last for irfft.
Translator many_axes(const char* last_op, const char* other_op) {
  return [=](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    std::vector<int64_t> axes;
    const ir::Dims sizes = c.dims("s");
    if (c.has("dim"))
      for (int64_t a : c.numbers("dim")) axes.push_back(c.wrap(a, x->rank()));
    else
      for (int64_t i = sizes.empty() ? 0 : x->rank() - static_cast<int64_t>(sizes.size()); i < x->rank(); ++i)
        axes.push_back(i);
    if (axes.empty()) return {c.result(as_complex(c, x))};
    const std::string norm = norm_of(c);
    auto length = [&](size_t i, bool half) {
      if (i < sizes.size() && !sizes[i].is(-1)) return sizes[i];
      const ir::Dim& d = x->shape().at(static_cast<size_t>(axes[i]));
      return half ? (d - ir::Dim(1)) * ir::Dim(2) : d;
    };
    const bool to_real = std::string_view(last_op) == "irfft";
    const size_t last = axes.size() - 1;
    if (!to_real) x = transform(c, last_op, x, axes[last], length(last, false), norm);
    for (size_t i = 0; i < last; ++i) x = transform(c, other_op, x, axes[i], length(i, false), norm);
    if (to_real) x = transform(c, last_op, x, axes[last], length(last, true), norm);
    return {c.result(x)};
  };
}

// --- the three forms that decompositions leave; normalization 0 none, 1 by sqrt(n), 2 by n ---------------------------
double normalization(Context& c, double n) {
  switch (c.number("normalization")) {
    case 0: return 1;
    case 1: return 1 / std::sqrt(n);
    case 2: return 1 / n;
    default: c.fail("normalization {}", c.number("normalization"));
  }
}

Values complex_to_complex(Context& c) {
  ir::Value* x = c.tensor("self");
  const bool forward = c.flag("forward");
  double n = 1, inverse_scale = 1;
  for (int64_t a : c.numbers("dim")) {
    const int64_t axis = c.wrap(a, x->rank());
    const ir::Dim size = x->shape().at(static_cast<size_t>(axis));
    if (c.number("normalization") != 0 || !forward) n *= known(c, size);
    x = c.op(forward ? "fft" : "ifft", {x}, {{"axis", axis}, {"n", size}});
  }
  if (!forward) inverse_scale = n;  // the op has divided by n already
  return {c.result(times(c, x, normalization(c, n) * inverse_scale))};
}

Values real_to_complex(Context& c) {
  ir::Value* x = c.tensor("self");
  std::vector<int64_t> axes;
  for (int64_t a : c.numbers("dim")) axes.push_back(c.wrap(a, x->rank()));
  const bool onesided = c.flag("onesided");
  double n = 1;
  if (!onesided) x = as_complex(c, x);
  for (size_t i = axes.size(); i-- > 0;) {
    const ir::Dim size = x->shape().at(static_cast<size_t>(axes[i]));
    if (c.number("normalization") != 0) n *= known(c, size);
    const bool real = onesided && i + 1 == axes.size();
    x = c.op(real ? "rfft" : "fft", {x}, {{"axis", axes[i]}, {"n", size}});
  }
  return {c.result(times(c, x, normalization(c, n)))};
}

Values complex_to_real(Context& c) {
  ir::Value* x = c.tensor("self");
  std::vector<int64_t> axes;
  for (int64_t a : c.numbers("dim")) axes.push_back(c.wrap(a, x->rank()));
  double n = 1;
  for (size_t i = 0; i < axes.size(); ++i) {
    const bool last = i + 1 == axes.size();
    const ir::Dim size = last ? c.integer("last_dim_size") : x->shape().at(static_cast<size_t>(axes[i]));
    n *= known(c, size);
    x = c.op(last ? "irfft" : "ifft", {x}, {{"axis", axes[i]}, {"n", size}});
  }
  return {c.result(times(c, x, normalization(c, n) * n))};
}

// --- short-time transforms
// -------------------------------------------------------------------------------------------- The window as long as
// the frame: ones, or centred between zeros.
ir::Value* frame_window(Context& c, int64_t n_fft, DType dtype) {
  const int64_t length = c.has("win_length") ? c.number("win_length") : n_fft;
  if (length == n_fft && c.is_none("window")) return nullptr;
  ir::Value* w = c.has("window") ? c.cast(c.tensor("window"), dtype)
                                 : c.op("full", {c.scalar(dtype, 1)}, {{"shape", ir::Dims{length}}});
  if (length == n_fft) return w;
  const int64_t left = (n_fft - length) / 2;
  return c.op("pad", {w, c.scalar(dtype, 0)}, {{"low", ir::Dims{left}}, {"high", ir::Dims{n_fft - length - left}}});
}

Values stft(Context& c) {
  ir::Value* x = c.tensor("self");
  const int64_t n_fft = c.number("n_fft"), hop = c.has("hop_length") ? c.number("hop_length") : n_fft / 4;
  if (n_fft < 1 || hop < 1) c.fail("frames of {} every {}", n_fft, hop);
  const bool flat = x->rank() == 1;
  if (flat) x = c.op("expand_dims", {x}, {{"axes", ir::Dims{0}}});
  if (c.flag("center")) {
    std::string mode = c.has("pad_mode") ? c.text("pad_mode") : "reflect";
    if (mode == "replicate") mode = "edge";
    if (mode == "circular") mode = "wrap";
    const ir::Dims sides = {0, n_fft / 2};
    x = c.op("pad", {x, mode == "constant" ? c.scalar_like(x, 0) : nullptr},
             {{"low", sides}, {"high", sides}, {"mode", mode}});
  }
  ir::Value* frames = c.op("unfold", {x}, {{"axis", 1}, {"size", n_fft}, {"step", hop}});  // (B, frames, n_fft)
  if (ir::Value* w = frame_window(c, n_fft, is_complex(x->dtype()) ? DType::f32 : x->dtype()))
    frames = c.op("multiply", {frames, c.cast(w, frames->dtype())});
  const bool onesided = is_complex(x->dtype()) ? false : c.is_none("onesided") || c.flag("onesided");
  ir::Value* y = onesided ? c.op("rfft", {frames}, {{"axis", 2}, {"n", n_fft}})
                          : c.op("fft", {as_complex(c, frames)}, {{"axis", 2}, {"n", n_fft}});
  if (c.flag("normalized")) y = times(c, y, 1 / std::sqrt(static_cast<double>(n_fft)));
  y = c.op("transpose", {y}, {{"axes", ir::Dims{0, 2, 1}}});
  if (flat) y = c.op("squeeze", {y}, {{"axes", ir::Dims{0}}});
  if (c.flag("return_complex")) return {c.result(y)};
  const int64_t rank = y->rank();
  auto part = [&](const char* op) { return c.op("expand_dims", {c.op(op, {y})}, {{"axes", ir::Dims{rank}}}); };
  return {c.result(c.op("concat", {part("real"), part("imag")}, {{"axis", rank}}))};
}

Values istft(Context& c) {
  ir::Value* x = c.tensor("self");
  const int64_t n_fft = c.number("n_fft"), hop = c.has("hop_length") ? c.number("hop_length") : n_fft / 4;
  const bool flat = x->rank() == 2;
  if (flat) x = c.op("expand_dims", {x}, {{"axes", ir::Dims{0}}});
  if (x->rank() != 3) c.fail("the spectrum is {}", ir::str(x->type));
  x = c.op("transpose", {x}, {{"axes", ir::Dims{0, 2, 1}}});  // (B, frames, bins)
  if (c.flag("normalized")) x = times(c, x, std::sqrt(static_cast<double>(n_fft)));
  const bool onesided = c.is_none("onesided") || c.flag("onesided");
  ir::Value* frames = onesided ? c.op("irfft", {x}, {{"axis", 2}, {"n", n_fft}})
                               : c.op("real", {c.op("ifft", {x}, {{"axis", 2}, {"n", n_fft}})});
  ir::Value* w = frame_window(c, n_fft, frames->dtype());
  if (!w) w = c.op("full", {c.scalar(frames->dtype(), 1)}, {{"shape", ir::Dims{n_fft}}});
  ir::Value* y = c.op("overlap_add", {c.op("multiply", {frames, w})}, {{"step", hop}});
  // The squared windows overlap in the same way: what the signal was weighted with.
  const ir::Dim count = frames->shape()[1];
  ir::Value* weights = c.op("broadcast", {c.op("square", {w})}, {{"shape", ir::Dims{count, n_fft}}});
  ir::Value* envelope = c.op("overlap_add", {weights}, {{"step", hop}});
  const ir::Dim full = (count - ir::Dim(1)) * ir::Dim(hop) + ir::Dim(n_fft);
  const bool center = c.is_none("center") || c.flag("center");
  const ir::Dim start = center ? ir::Dim(n_fft / 2) : ir::Dim(0);
  ir::Dim stop = center ? full - ir::Dim(n_fft / 2) : full;
  if (c.has("length")) stop = start + c.integer("length");
  auto cut = [&](ir::Value* v) {
    return c.op("slice", {v},
                {{"axes", ir::Dims{v->rank() - 1}}, {"starts", ir::Dims{start}}, {"stops", ir::Dims{stop}}});
  };
  y = c.op("divide", {cut(y), cut(envelope)});
  const ir::Dim missing = stop - full;
  if (missing.is_known() && missing.value() > 0)
    y = c.op("pad", {y, c.scalar_like(y, 0)}, {{"low", ir::Dims{0, 0}}, {"high", ir::Dims{0, missing}}});
  return {c.result(flat ? c.op("squeeze", {y}, {{"axes", ir::Dims{0}}}) : y)};
}

Translator shifted(bool inverse) {
  return [inverse](Context& c) -> Values {
    ir::Value* x = c.tensor("self");
    ir::Dims shifts, axes;
    for (int64_t a : c.axes_or_all("dim", x->rank())) {
      const ir::Dim& n = x->shape().at(static_cast<size_t>(a));
      axes.push_back(a);
      shifts.push_back(inverse ? floordiv(n + ir::Dim(1), 2) : floordiv(n, 2));
    }
    return {c.result(c.op("roll", {x}, {{"shifts", shifts}, {"axes", axes}}))};
  };
}

}  // namespace

Rows signal_rows() {
  return {
      {"fft_fft", one_axis("fft")},
      {"fft_ifft", one_axis("ifft")},
      {"fft_rfft", one_axis("rfft")},
      {"fft_irfft", one_axis("irfft")},
      {"fft_fft2", many_axes("fft", "fft")},
      {"fft_ifft2", many_axes("ifft", "ifft")},
      {"fft_rfft2", many_axes("rfft", "fft")},
      {"fft_irfft2", many_axes("irfft", "ifft")},
      {"fft_fftn", many_axes("fft", "fft")},
      {"fft_ifftn", many_axes("ifft", "ifft")},
      {"fft_rfftn", many_axes("rfft", "fft")},
      {"fft_irfftn", many_axes("irfft", "ifft")},
      {"fft_fftshift", shifted(false)},
      {"fft_ifftshift", shifted(true)},
      {"_fft_c2c", complex_to_complex},
      {"_fft_r2c", real_to_complex},
      {"_fft_c2r", complex_to_real},
      {"stft", stft},
      {"istft", istft},
  };
}

}  // namespace godwit::frontends::aten
