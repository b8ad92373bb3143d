#include "frontends/aten/context.h"

#include <cmath>

#include "frontends/aten/promote.h"

namespace godwit::frontends::aten {

const Value& Context::get(std::string_view name) const {
  static const Value none;
  for (size_t i = 0; i < schema.arguments.size() && i < arguments_.size(); ++i)
    if (schema.arguments[i].name == name) return arguments_[i];
  return none;
}

TensorRef Context::ref(std::string_view name) const {
  const Value& v = get(name);
  if (auto* t = v.get<TensorRef>()) return *t;
  if (v.is_number()) return session.heap.make(to_tensor(v));
  fail("argument {} is a {}, a tensor is expected", name, describe(v));
}

namespace {

DType number_type(const Value& v) {
  if (v.is<bool>()) return DType::boolean;
  if (v.is<ir::Dim>()) return DType::i64;
  if (v.is<std::complex<double>>()) return DType::c64;
  if (auto* run = v.get<RunNumber>()) return is_float(run->value->dtype()) ? DType::f32 : run->value->dtype();
  return DType::f32;
}

Tensor integer_constant(DType dtype, int64_t v) {
  if (dtype == DType::i64 || dtype == DType::u64) return Tensor::of<int64_t>(dtype, {}, {v});
  // Narrow integers wrap around, as a cast in PyTorch does.
  if (dtype == DType::u8) return Tensor::of<uint8_t>(dtype, {}, {static_cast<uint8_t>(v)});
  if (dtype == DType::i8) return Tensor::of<int8_t>(dtype, {}, {static_cast<int8_t>(v)});
  if (dtype == DType::i16) return Tensor::of<int16_t>(dtype, {}, {static_cast<int16_t>(v)});
  if (dtype == DType::i32) return Tensor::of<int32_t>(dtype, {}, {static_cast<int32_t>(v)});
  return Tensor::scalar(dtype, static_cast<double>(v));
}

Tensor complex_constant(DType dtype, std::complex<double> v) {
  if (dtype == DType::c128) return Tensor::of<double>(dtype, {}, {v.real(), v.imag()});
  return Tensor::of<float>(DType::c64, {}, {static_cast<float>(v.real()), static_cast<float>(v.imag())});
}

}  // namespace

ir::Value* Context::to_tensor(const Value& v, std::optional<DType> dtype) const {
  const DType to = dtype.value_or(v.is_tensor() ? v.get<TensorRef>()->dtype() : number_type(v));
  if (auto* t = v.get<TensorRef>()) return b.cast(t->read(), to);
  if (auto* run = v.get<RunNumber>()) return b.cast(run->value, to);
  if (auto* flag = v.get<bool>()) return is_complex(to) ? b.constant(complex_constant(to, *flag)) : b.scalar(to, *flag);
  if (auto* n = v.get<ir::Dim>()) {
    if (!n->is_known()) return b.cast(b.dim(*n), to);
    if (is_complex(to)) return b.constant(complex_constant(to, static_cast<double>(n->value())));
    return b.constant(integer_constant(to, n->value()));
  }
  if (auto* real = v.get<double>()) {
    if (is_complex(to)) return b.constant(complex_constant(to, *real));
    if (is_integer(to)) return b.constant(integer_constant(to, static_cast<int64_t>(std::isfinite(*real) ? *real : 0)));
    return b.scalar(to, *real);
  }
  if (auto* z = v.get<std::complex<double>>()) return b.constant(complex_constant(to, *z));
  fail("a {} stands where a tensor or number is expected", describe(v));
}

ir::Value* Context::tensor(std::string_view name) const {
  const Value& v = get(name);
  if (v.is_none()) fail("argument {} is missing", name);
  return to_tensor(v);
}

ir::Value* Context::tensor_or_null(std::string_view name) const { return has(name) ? tensor(name) : nullptr; }
ir::Value* Context::tensor_as(std::string_view name, DType dtype) const { return to_tensor(get(name), dtype); }

std::vector<ir::Value*> Context::tensors(std::string_view name) const {
  const Values* items = get(name).items();
  if (!items) fail("argument {} is a {}, a list of tensors is expected", name, describe(get(name)));
  std::vector<ir::Value*> out;
  for (const Value& v : *items) out.push_back(v.is_none() ? nullptr : to_tensor(v));
  return out;
}

namespace {

ir::Dim to_dim(const Context& c, const Value& v, std::string_view name) {
  if (auto* d = v.get<ir::Dim>()) return *d;
  if (auto* f = v.get<bool>()) return *f ? 1 : 0;
  if (auto* r = v.get<double>(); r && *r == std::floor(*r) && std::fabs(*r) < 9e15) return static_cast<int64_t>(*r);
  if (auto* t = v.get<TensorRef>(); t && (is_integer(t->dtype()) || t->dtype() == DType::boolean))
    return c.b.read_one(t->read());
  if (auto* run = v.get<RunNumber>()) return c.b.read_one(c.b.cast(run->value, DType::i64));
  c.fail("argument {} is a {}, an int is expected", name, describe(v));
}

}  // namespace

ir::Dim Context::integer(std::string_view name) const { return to_dim(*this, get(name), name); }

int64_t Context::number(std::string_view name) const {
  ir::Dim d = integer(name);
  if (!d.is_known()) unsupported("argument {} must be a known number, it is {}", name, d.str());
  return d.value();
}

double Context::real(std::string_view name) const {
  const Value& v = get(name);
  if (auto* d = v.get<double>()) return *d;
  if (auto* d = v.get<ir::Dim>(); d && d->is_known()) return static_cast<double>(d->value());
  if (auto* f = v.get<bool>()) return *f ? 1 : 0;
  if (auto* t = v.get<TensorRef>())
    if (const Tensor* constant = ops::constant_of(b.module(), t->read());
        constant && constant->size() == 1 && !is_complex(constant->dtype))
      return constant->number(0);
  if (v.is_none() || v.is<std::string>() || v.items())
    fail("argument {} is a {}, a float is expected", name, describe(v));
  unsupported("argument {} must be a known number, it is a {}", name, describe(v));
}

bool Context::flag(std::string_view name) const {
  const Value& v = get(name);
  if (v.is_none()) return false;
  if (auto* f = v.get<bool>()) return *f;
  if (auto* d = v.get<ir::Dim>(); d && d->is_known()) return d->value() != 0;
  fail("argument {} is a {}, a bool is expected", name, describe(v));
}

const std::string& Context::text(std::string_view name) const {
  const Value& v = get(name);
  if (auto* s = v.get<std::string>()) return *s;
  fail("argument {} is a {}, a text is expected", name, describe(v));
}

ir::Dims Context::dims(std::string_view name, size_t count) const {
  const Value& v = get(name);
  ir::Dims out;
  if (const Values* items = v.items()) {
    for (const Value& item : *items) out.push_back(to_dim(*this, item, name));
  } else if (auto* t = v.get<TensorRef>(); t && t->rank() == 1) {
    out = b.read(t->read());
  } else if (!v.is_none()) {
    out.push_back(to_dim(*this, v, name));
  }
  if (count > 0 && out.size() == 1) out.assign(count, ir::Dim(out[0]));
  if (count > 0 && out.size() != count) fail("argument {} has {} items, {} are expected", name, out.size(), count);
  return out;
}

std::vector<int64_t> Context::numbers(std::string_view name, size_t count) const {
  std::vector<int64_t> out;
  for (const ir::Dim& d : dims(name, count)) {
    if (!d.is_known()) unsupported("argument {} must be known, it holds {}", name, d.str());
    out.push_back(d.value());
  }
  return out;
}

std::vector<double> Context::reals(std::string_view name) const {
  std::vector<double> out;
  if (const Values* items = get(name).items()) {
    for (const Value& v : *items) {
      if (auto* d = v.get<double>())
        out.push_back(*d);
      else if (auto* n = v.get<ir::Dim>(); n && n->is_known())
        out.push_back(static_cast<double>(n->value()));
      else
        unsupported("argument {} holds a {}", name, describe(v));
    }
  } else if (has(name)) {
    out.push_back(real(name));
  }
  return out;
}

std::vector<bool> Context::flags(std::string_view name) const {
  std::vector<bool> out;
  if (const Values* items = get(name).items())
    for (const Value& v : *items) out.push_back(v.is<bool>() && *v.get<bool>());
  return out;
}

std::optional<DType> Context::dtype(std::string_view name) const {
  if (is_none(name)) return std::nullopt;
  const int64_t code = number(name);
  auto dtype = dtype_of_code(code);
  if (!dtype) unsupported("dtype code {} of argument {} is not supported", code, name);
  return dtype;
}

int64_t Context::wrap(int64_t axis, int64_t rank) const {
  const int64_t limit = std::max<int64_t>(rank, 1);
  if (axis < -limit || axis >= limit) fail("dimension {} is out of range for rank {}", axis, rank);
  return axis < 0 ? axis + limit : axis;
}

std::vector<int64_t> Context::axes_or_all(std::string_view name, int64_t rank) const {
  std::vector<int64_t> out;
  if (has(name))
    for (int64_t a : numbers(name)) out.push_back(wrap(a, rank));
  if (out.empty())
    for (int64_t i = 0; i < rank; ++i) out.push_back(i);
  if (rank == 0) out.clear();
  return out;
}

DType Context::result_type(const std::vector<Value>& values) const {
  Promotion promotion;
  for (const Value& v : values) {
    if (auto* t = v.get<TensorRef>())
      promotion.add_tensor(t->dtype(), t->rank() > 0);
    else if (v.is_number())
      promotion.add_number(number_type(v));
  }
  return promotion.result();
}

DType Context::result_type(std::initializer_list<std::string_view> names) const {
  std::vector<Value> values;
  for (std::string_view name : names) values.push_back(get(name));
  return result_type(values);
}

std::vector<ir::Value*> Context::as(DType to, std::initializer_list<std::string_view> names) const {
  std::vector<ir::Value*> out;
  for (std::string_view name : names) out.push_back(tensor_as(name, to));
  return out;
}

std::vector<ir::Value*> Context::promoted(std::initializer_list<std::string_view> names) const {
  return as(result_type(names), names);
}

ir::Value* Context::floating(ir::Value* v) const {
  return is_float(v->dtype()) || is_complex(v->dtype()) ? v : b.cast(v, DType::f32);
}

std::optional<ir::Type> Context::expected(size_t i) const {
  return i < session.expected.size() ? session.expected[i] : std::nullopt;
}

Values Context::results(const std::vector<ir::Value*>& values) const {
  Values out;
  for (ir::Value* v : values) out.push_back(result(v));
  return out;
}

}  // namespace godwit::frontends::aten
