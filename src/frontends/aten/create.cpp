// Tensors from numbers; random tensors.
#include <cmath>

#include "frontends/aten/combinators.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

// The dtype argument, else what the source says the result is, else PyTorch's default.
DType dtype_or(Context& c, DType fallback) {
  if (auto d = c.dtype()) return *d;
  if (auto type = c.expected()) return type->dtype;
  return fallback;
}

ir::Value* filled(Context& c, ir::Value* value, const ir::Dims& shape) {
  return c.op("full", {value}, {{"shape", shape}});
}

Translator factory(double value) {  // zeros, ones, empty
  return [value](Context& c) -> Values {
    return {c.result(filled(c, c.scalar(dtype_or(c, DType::f32), value), c.dims("size")))};
  };
}

Translator factory_like(double value) {  // zeros_like, new_zeros ...
  return [value](Context& c) -> Values {
    TensorRef t = c.ref("self");
    const ir::Dims shape = c.schema.find("size") ? c.dims("size") : t.shape();
    return {c.result(filled(c, c.scalar(c.dtype().value_or(t.dtype()), value), shape))};
  };
}

DType number_dtype(const Value& v) {
  if (v.is<bool>()) return DType::boolean;
  if (v.is<ir::Dim>()) return DType::i64;
  if (v.is<std::complex<double>>()) return DType::c64;
  return DType::f32;
}

Values full(Context& c) {
  const DType d = dtype_or(c, number_dtype(c.get("fill_value")));
  return {c.result(filled(c, c.tensor_as("fill_value", d), c.dims("size")))};
}

Values full_like(Context& c) {
  TensorRef t = c.ref("self");
  const ir::Dims shape = c.schema.find("size") ? c.dims("size") : t.shape();
  return {c.result(filled(c, c.tensor_as("fill_value", c.dtype().value_or(t.dtype())), shape))};
}

Values fill(Context& c) {
  TensorRef t = c.ref("self");
  return {c.result(filled(c, c.tensor_as("value", t.dtype()), t.shape()))};
}

Values zero(Context& c) {
  TensorRef t = c.ref("self");
  return {c.result(filled(c, c.scalar(t.dtype(), 0), t.shape()))};
}

Values copy(Context& c) {
  TensorRef t = c.ref("self");
  ir::Value* v = c.tensor_as("src", t.dtype());
  return {c.result(v->shape() == t.shape() ? v : c.op("broadcast", {v}, {{"shape", t.shape()}}))};
}

Values scalar_tensor(Context& c) {
  return {c.result(c.tensor_as(argument_name(c, 0), dtype_or(c, number_dtype(c.get(argument_name(c, 0))))))};
}

bool is_whole(const Value& v) { return v.is<ir::Dim>() || v.is<bool>() || v.is_none(); }

Values arange(Context& c) {
  const Value& step = c.get("step");
  const bool whole = is_whole(c.get("start")) && is_whole(c.get("end")) && is_whole(step);
  const DType d = dtype_or(c, whole ? DType::i64 : DType::f32);
  if (whole) {
    const ir::Dim first = c.integer("start", 0), last = c.integer("end"), by = c.integer("step", 1);
    if (!by.is_known() || by.is(0)) c.unsupported("step {}", by.str());
    ir::Dim count = by.value() > 0 ? ceildiv(last - first, by) : ceildiv(first - last, ir::Dim(-by.value()));
    if (count.is_known() && count.value() < 0) c.fail("the range is empty in the wrong direction");
    const bool plain = is_integer(d);
    ir::Value* y =
        c.op("arange", {}, {{"start", first}, {"step", by}, {"count", count}, {"dtype", plain ? d : DType::i64}});
    return {c.result(c.cast(y, d))};
  }
  if (c.get("start").is<RunNumber>() || c.get("end").is<RunNumber>() || step.is<RunNumber>()) {
    auto limit = [&](std::string_view name, double fallback) {
      return c.has(name) ? c.tensor_as(name, d) : c.scalar(d, fallback);
    };
    return {c.result(c.op("range", {limit("start", 0), limit("end", 0), limit("step", 1)}))};
  }
  const double first = c.real("start", 0), last = c.real("end"), by = c.real("step", 1);
  const double n = std::ceil((last - first) / by);
  if (!(n >= 0 && n < 1e9)) c.fail("a range from {} to {} by {}", first, last, by);
  ir::Value* index = c.op("arange", {}, {{"start", 0}, {"count", static_cast<int64_t>(n)}, {"dtype", DType::i64}});
  // Integer results truncate start and step before counting.
  if (is_integer(d)) {
    ir::Value* y = c.op("multiply", {index, c.scalar(DType::i64, std::trunc(by))});
    return {c.result(c.cast(c.op("add", {y, c.scalar(DType::i64, std::trunc(first))}), d))};
  }
  const DType wide = d == DType::f64 ? DType::f64 : DType::f32;
  ir::Value* y = c.op("multiply", {c.cast(index, wide), c.scalar(wide, by)});
  return {c.result(c.cast(c.op("add", {y, c.scalar(wide, first)}), d))};
}

Values linspace(Context& c) {
  const DType d = dtype_or(c, DType::f32);
  const DType wide = is_float(d) ? d : DType::f32;
  ir::Value* y =
      c.op("linspace", {c.tensor_as("start", wide), c.tensor_as("end", wide)}, {{"count", c.integer("steps")}});
  return {c.result(is_float(d) ? y : c.cast(c.op("trunc", {y}), d))};
}

Values logspace(Context& c) {
  const DType d = dtype_or(c, DType::f32);
  ir::Value* y = c.op("linspace", {c.tensor_as("start", d), c.tensor_as("end", d)}, {{"count", c.integer("steps")}});
  return {c.result(c.op("power", {c.scalar(d, c.real("base")), y}))};
}

Values eye(Context& c) {
  return {c.result(c.op(
      "eye", {},
      {{"rows", c.integer("n")}, {"columns", c.integer("m", c.integer("n"))}, {"dtype", dtype_or(c, DType::f32)}}))};
}

// Row and column numbers of a triangle, row by row.
Translator triangle_indices(bool lower) {
  return [lower](Context& c) -> Values {
    const int64_t rows = c.number("row"), columns = c.number("col"), offset = c.number("offset");
    if (rows < 0 || columns < 0 || rows > 10000 || columns > 10000)
      c.unsupported("a triangle of {} rows and {} columns", rows, columns);
    std::vector<int64_t> r, k;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        if (lower ? j - i <= offset : j - i >= offset) r.push_back(i), k.push_back(j);
    const int64_t n = static_cast<int64_t>(r.size());
    r.insert(r.end(), k.begin(), k.end());
    return {c.result(c.cast(c.b.constant(Tensor::of(DType::i64, {2, n}, r)), dtype_or(c, DType::i64)))};
  };
}

// Windows of signal processing; periodic ones are one sample longer and cut.
Translator window(double a0, double a1, double a2) {
  return [=](Context& c) -> Values {
    const int64_t n = c.number("window_length");
    const bool periodic = !c.schema.find("periodic") || c.flag("periodic");
    if (n < 0 || n > (1 << 24)) c.fail("a window of {} samples", n);
    double alpha = a0, beta = a1;
    if (c.schema.find("alpha")) alpha = c.real("alpha");
    if (c.schema.find("beta"))
      beta = c.real("beta");
    else if (c.schema.find("alpha"))
      beta = 1 - alpha;
    std::vector<float> values;
    const double span = n <= 1 ? 1 : static_cast<double>(periodic ? n : n - 1);
    for (int64_t i = 0; i < n; ++i) {
      const double t = 2 * M_PI * static_cast<double>(i) / span;
      values.push_back(n == 1 ? 1.0f : static_cast<float>(alpha - beta * std::cos(t) + a2 * std::cos(2 * t)));
    }
    return {c.result(c.cast(c.b.constant(Tensor::of(DType::f32, {n}, values)), dtype_or(c, DType::f32)))};
  };
}

Translator random(const char* op, bool like) {
  return [=](Context& c) -> Values {
    c.session.warn("random numbers cannot be those of PyTorch");
    const ir::Dims shape = like ? c.ref("self").shape() : c.dims("size");
    const DType d = like ? c.dtype().value_or(c.ref("self").dtype()) : dtype_or(c, DType::f32);
    if (!is_complex(d)) return {c.result(c.op(op, {}, {{"shape", shape}, {"dtype", d}}))};
    // Both parts are random; a complex normal number has variance 1 in all.
    auto part = [&] {
      ir::Value* v = c.op(op, {}, {{"shape", shape}, {"dtype", DType::f32}});
      return std::string_view(op) == "random_normal" ? c.op("multiply", {v, c.scalar(DType::f32, M_SQRT1_2)}) : v;
    };
    return {c.result(c.op("complex", {part(), part()}))};
  };
}

Values bernoulli(Context& c) {
  c.session.warn("random numbers cannot be those of PyTorch");
  TensorRef t = c.ref("self");
  ir::Value* noise = c.op("random_uniform", {}, {{"shape", t.shape()}, {"dtype", DType::f32}});
  ir::Value* p = c.has("p") ? c.tensor_as("p", DType::f32) : c.cast(t.read(), DType::f32);
  return {c.result(c.cast(c.op("less", {noise, p}), t.dtype()))};
}

Values randint(Context& c) {
  c.session.warn("random numbers cannot be those of PyTorch");
  const bool like = c.schema.find("self") != nullptr;
  const double low = c.real("low", 0), high = c.real("high");
  const ir::Dims shape = like ? c.ref("self").shape() : c.dims("size");
  ir::Value* noise = c.op("random_uniform", {}, {{"shape", shape}, {"dtype", DType::f32}});
  ir::Value* y = c.op(
      "floor", {c.op("add", {c.op("multiply", {noise, c.scalar(DType::f32, high - low)}), c.scalar(DType::f32, low)})});
  return {c.result(c.cast(y, like ? c.dtype().value_or(c.ref("self").dtype()) : dtype_or(c, DType::i64)))};
}

Values randperm(Context& c) {
  c.session.warn("random numbers cannot be those of PyTorch");
  ir::Value* noise = c.op("random_uniform", {}, {{"shape", ir::Dims{c.integer("n")}}, {"dtype", DType::f32}});
  return {c.result(c.cast(c.b.ops("sort", {noise}, {{"axis", 0}})[1], dtype_or(c, DType::i64)))};
}

Values uniform(Context& c) {
  c.session.warn("random numbers cannot be those of PyTorch");
  TensorRef t = c.ref("self");
  const double from = c.real("from", 0), to = c.real("to", 1);
  ir::Value* noise = c.op("random_uniform", {}, {{"shape", t.shape()}, {"dtype", t.dtype()}});
  return {
      c.result(c.op("add", {c.op("multiply", {noise, c.scalar_like(noise, to - from)}), c.scalar_like(noise, from)}))};
}

Values normal(Context& c) {
  c.session.warn("random numbers cannot be those of PyTorch");
  if (!c.schema.find("self")) c.unsupported("only the form on a tensor is supported");
  TensorRef t = c.ref("self");
  ir::Value* noise = c.op("random_normal", {}, {{"shape", t.shape()}, {"dtype", t.dtype()}});
  return {c.result(
      c.op("add", {c.op("multiply", {noise, c.tensor_as("std", t.dtype())}), c.tensor_as("mean", t.dtype())}))};
}

}  // namespace

Rows create_rows() {
  return {
      {"zeros", factory(0)},
      {"ones", factory(1)},
      {"empty", factory(0)},
      {"empty_strided", factory(0)},
      {"empty_permuted", factory(0)},
      {"zeros_like", factory_like(0)},
      {"ones_like", factory_like(1)},
      {"empty_like", factory_like(0)},
      {"new_zeros", factory_like(0)},
      {"new_ones", factory_like(1)},
      {"new_empty", factory_like(0)},
      {"new_empty_strided", factory_like(0)},
      {"full", full},
      {"full_like", full_like},
      {"new_full", full_like},
      {"fill", fill},
      {"zero", zero},
      {"copy", copy},
      {"scalar_tensor", scalar_tensor},
      {"arange", arange},
      {"linspace", linspace},
      {"logspace", logspace},
      {"eye", eye},
      {"tril_indices", triangle_indices(true)},
      {"triu_indices", triangle_indices(false)},
      {"hann_window", window(0.5, 0.5, 0)},
      {"hamming_window", window(0.54, 0.46, 0)},
      {"blackman_window", window(0.42, 0.5, 0.08)},
      {"rand", random("random_uniform", false)},
      {"randn", random("random_normal", false)},
      {"rand_like", random("random_uniform", true)},
      {"randn_like", random("random_normal", true)},
      {"randint", randint},
      {"randint_like", randint},
      {"randperm", randperm},
      {"bernoulli", bernoulli},
      {"uniform", uniform},
      {"normal", normal},
      {"normal_functional", normal},
  };
}

}  // namespace godwit::frontends::aten
