// Shape arithmetic: what is known of small integer tensors as dimensions.
//
// Exporters compute shapes with ordinary ops: shape, slice, concat, where, floor of a quotient. What follows reads
// those ops over dimensions instead of numbers. A result is given only where it holds for every value of the symbols.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/infer.h"
#include "ops/quotient.h"

namespace godwit::ops {

namespace {

using ir::Dim;
using ir::Dims;
using Content = std::optional<Dims>;

constexpr size_t max_content = 64;

}  // namespace

bool is_at_least(const Dim& dim, int64_t least) {
  auto low = dim.lower_bound([](const std::string& symbol) {
    return InferContext::is_read(symbol) ? std::nullopt : std::optional<int64_t>(0);
  });
  return low && *low >= least;
}

Content known_content(const ir::Value* v) {
  if (!v) return std::nullopt;
  if (v->content) return v->content;
  if (!v->producer || v->producer->op != "constant" || !is_integer(v->dtype())) return std::nullopt;
  const Tensor& t = std::get<Tensor>(*v->producer->find("value"));
  if (t.size() > static_cast<int64_t>(max_content)) return std::nullopt;
  Dims out;
  for (int64_t i = 0; i < t.size(); ++i) out.push_back(t.integer(i));
  return out;
}

std::optional<Dim> truncated_quotient(const Dim& a, const Dim& b) {
  if (b.is(0)) return std::nullopt;
  if (a.is_known() && b.is_known()) return b.is(-1) ? Dim(0) - a : Dim(a.value() / b.value());
  if (b.is_known() && b.value() < 0) return truncated_quotient(Dim(0) - a, Dim(0) - b);
  if (!is_at_least(b, 0)) return std::nullopt;
  const Dim down = floordiv(a, b);
  // A division without a rest rounds nowhere.
  if (is_at_least(a, 0) || down * b == a) return down;
  return max(down, 0) + min(ceildiv(a, b), 0);
}

namespace {

// ---------------------------------------------------------------------------------------------------------------
// Element by element
// ---------------------------------------------------------------------------------------------------------------
using Binary = std::optional<Dim> (*)(const Dim&, const Dim&);

Binary binary(std::string_view op) {
  if (op == "add") return [](const Dim& a, const Dim& b) { return std::optional(a + b); };
  if (op == "subtract") return [](const Dim& a, const Dim& b) { return std::optional(a - b); };
  if (op == "multiply") return [](const Dim& a, const Dim& b) { return std::optional(a * b); };
  if (op == "minimum") return [](const Dim& a, const Dim& b) { return std::optional(min(a, b)); };
  if (op == "maximum") return [](const Dim& a, const Dim& b) { return std::optional(max(a, b)); };
  if (op == "divide" || op == "trunc_divide") return &truncated_quotient;
  if (op == "floor_divide")
    return [](const Dim& a, const Dim& b) { return b.is(0) ? std::nullopt : std::optional(floordiv(a, b)); };
  if (op == "remainder")
    return [](const Dim& a, const Dim& b) { return b.is(0) ? std::nullopt : std::optional(mod(a, b)); };
  return nullptr;
}

const Dim& element(const Dims& v, size_t i) { return v[v.size() == 1 ? 0 : i]; }

// Number of elements of vectors and scalars that broadcast.
std::optional<size_t> common_size(std::initializer_list<size_t> sizes) {
  size_t n = 1;
  for (size_t s : sizes) {
    if (s != 1 && n != 1 && s != n) return std::nullopt;
    if (s != 1) n = s;
  }
  return n;
}

Content zip(const Dims& a, const Dims& b, Binary f) {
  auto n = common_size({a.size(), b.size()});
  if (!n) return std::nullopt;
  Dims out;
  for (size_t i = 0; i < *n; ++i) {
    auto value = f(element(a, i), element(b, i));
    if (!value) return std::nullopt;
    out.push_back(*value);
  }
  return out;
}

std::optional<bool> compared(std::string_view op, const Dim& a, const Dim& b) {
  const Dim gap = a - b;
  const bool above = is_at_least(gap, 1), below = is_at_least(Dim(0) - gap, 1);
  const bool not_below = is_at_least(gap, 0), not_above = is_at_least(Dim(0) - gap, 0);
  auto decided = [](bool yes, bool no) { return yes ? std::optional(true) : no ? std::optional(false) : std::nullopt; };
  if (op == "equal") return decided(gap.is(0), above || below);
  if (op == "not_equal") return decided(above || below, gap.is(0));
  if (op == "less") return decided(below, not_below);
  if (op == "less_equal") return decided(not_above, above);
  if (op == "greater") return decided(above, not_above);
  if (op == "greater_equal") return decided(not_below, below);
  return std::nullopt;
}

// The elements of a condition over dimensions, where each is decided.
std::optional<std::vector<bool>> truth(const ir::Value* v, int depth = 0) {
  if (!v || !v->producer || depth > 4) return std::nullopt;
  const ir::Node& node = *v->producer;
  std::vector<bool> out;
  if (node.op == "constant") {
    const Tensor& t = std::get<Tensor>(*node.find("value"));
    if (t.dtype != DType::boolean || t.size() > static_cast<int64_t>(max_content)) return std::nullopt;
    for (int64_t i = 0; i < t.size(); ++i) out.push_back(t.integer(i) != 0);
    return out;
  }
  if (node.op == "logical_not" || node.op == "copy" || node.op == "reshape") {
    auto inner = truth(node.inputs[0], depth + 1);
    if (inner && node.op == "logical_not") inner->flip();
    return inner;
  }
  if (node.inputs.size() != 2) return std::nullopt;
  auto a = known_content(node.inputs[0]), b = known_content(node.inputs[1]);
  auto n = a && b ? common_size({a->size(), b->size()}) : std::nullopt;
  if (!n) return std::nullopt;
  for (size_t i = 0; i < *n; ++i) {
    auto yes = compared(node.op, element(*a, i), element(*b, i));
    if (!yes) return std::nullopt;
    out.push_back(*yes);
  }
  return out;
}

Content chosen(const ir::Node& node) {
  auto a = known_content(node.inputs[1]), b = known_content(node.inputs[2]);
  if (!a || !b) return std::nullopt;
  auto condition = truth(node.inputs[0]);
  auto n = condition ? common_size({condition->size(), a->size(), b->size()}) : common_size({a->size(), b->size()});
  if (!n) return std::nullopt;
  Dims out;
  for (size_t i = 0; i < *n; ++i) {
    // Equal sides need no decision.
    if (!condition && element(*a, i) != element(*b, i)) return std::nullopt;
    const bool first = !condition || (*condition)[condition->size() == 1 ? 0 : i];
    out.push_back(element(first ? *a : *b, i));
  }
  return out;
}

Content clipped(const ir::Node& node, Dims values) {
  for (size_t side : {1, 2}) {
    if (side >= node.inputs.size() || !node.inputs[side]) continue;
    auto bound = known_content(node.inputs[side]);
    auto out = bound ? zip(values, *bound, binary(side == 1 ? "maximum" : "minimum")) : std::nullopt;
    if (!out) return std::nullopt;
    values = *out;
  }
  return values;
}

// ---------------------------------------------------------------------------------------------------------------
// Fractions: integers that were scaled as reals and rounded back, floor(float(L) / 2) and the like
// ---------------------------------------------------------------------------------------------------------------
struct Fraction {
  Dims numerators;
  int64_t denominator = 1;
};

std::optional<double> real_constant(const ir::Value* v) {
  if (!v || !v->producer || v->producer->op != "constant" || !is_float(v->dtype())) return std::nullopt;
  const Tensor& t = std::get<Tensor>(*v->producer->find("value"));
  return t.size() == 1 ? std::optional(t.number(0)) : std::nullopt;
}

bool is_small_whole(double v) { return v >= 1 && v <= 1e6 && v == std::floor(v); }

std::optional<Fraction> fraction(const ir::Value* v, int depth = 0) {
  if (!v || !v->producer || depth > 8) return std::nullopt;
  const ir::Node& node = *v->producer;
  if (node.op == "cast" && is_integer(node.inputs[0]->dtype())) {
    auto values = known_content(node.inputs[0]);
    return values ? std::optional(Fraction{*values, 1}) : std::nullopt;
  }
  const bool passes = node.op == "reshape" || node.op == "squeeze" || node.op == "expand_dims" || node.op == "copy" ||
                      (node.op == "cast" && is_float(node.inputs[0]->dtype()));
  if (passes) return fraction(node.inputs[0], depth + 1);
  if (node.op == "floor" || node.op == "ceil") {
    auto inner = fraction(node.inputs[0], depth + 1);
    if (!inner) return std::nullopt;
    for (Dim& d : inner->numerators)
      d = node.op == "floor" ? floordiv(d, inner->denominator) : ceildiv(d, inner->denominator);
    inner->denominator = 1;
    return inner;
  }
  if ((node.op != "multiply" && node.op != "divide") || node.inputs.size() != 2) return std::nullopt;
  auto factor = real_constant(node.inputs[1]);
  auto inner = fraction(node.inputs[factor ? 0 : 1], depth + 1);
  if (!factor && node.op == "multiply") factor = real_constant(node.inputs[0]);
  if (!factor || !inner) return std::nullopt;
  // Powers of two and whole factors are exact in floating point.
  const double up = node.op == "multiply" ? *factor : 1 / *factor, down = node.op == "divide" ? *factor : 1 / *factor;
  if (is_small_whole(up)) {
    for (Dim& d : inner->numerators) d = d * Dim(static_cast<int64_t>(up));
  } else if (is_small_whole(down) && inner->denominator <= 1000000) {
    inner->denominator *= static_cast<int64_t>(down);
  } else {
    return std::nullopt;
  }
  return inner;
}

// A real that is cast to an integer: rounded towards zero.
Content rounded(const ir::Value* v) {
  auto value = fraction(v);
  if (!value) return std::nullopt;
  Dims out;
  for (const Dim& d : value->numerators) {
    auto whole = value->denominator == 1 ? std::optional(d) : truncated_quotient(d, value->denominator);
    if (!whole) return std::nullopt;
    out.push_back(*whole);
  }
  return out;
}

// ---------------------------------------------------------------------------------------------------------------
// Elements moved
// ---------------------------------------------------------------------------------------------------------------
const Dims& list(const ir::Node& node, const char* name) {
  return std::get<Dims>(attribute(node, *get(node.op).find(name)));
}

// The places that a constant slice of a vector takes.
std::optional<std::vector<size_t>> slice_places(const ir::Node& node, size_t size) {
  const Dims &starts = list(node, "starts"), &stops = list(node, "stops"), &steps = list(node, "steps");
  if (node.inputs[0]->rank() != 1 || starts.size() != 1 || !starts[0].is_known() || !stops[0].is_known())
    return std::nullopt;
  if (!steps.empty() && !steps[0].is_known()) return std::nullopt;
  const int64_t n = static_cast<int64_t>(size), step = steps.empty() ? 1 : steps[0].value();
  if (step == 0) return std::nullopt;
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
  auto place = [&](int64_t p) { return std::clamp(p < 0 ? p + n : p, low, high); };
  std::vector<size_t> out;
  const int64_t last = place(stops[0].value());
  for (int64_t i = place(starts[0].value()); step > 0 ? i < last : i > last;) {
    out.push_back(static_cast<size_t>(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return out;
}

Content sliced(const ir::Node& node, const Dims& in) {
  auto places = slice_places(node, in.size());
  if (!places) return std::nullopt;
  Dims out;
  for (size_t i : *places) out.push_back(in[i]);
  return out;
}

Content slice_updated(const ir::Node& node, Dims in) {
  auto places = slice_places(node, in.size());
  auto update = known_content(node.inputs[1]);
  if (!places || !update || (update->size() != 1 && update->size() != places->size())) return std::nullopt;
  for (size_t i = 0; i < places->size(); ++i) in[(*places)[i]] = element(*update, i);
  return in;
}

Content gathered(const ir::Node& node, const Dims& in) {
  auto indices = known_content(node.inputs[1]);
  if (!indices || node.inputs[0]->rank() != 1) return std::nullopt;
  Dims out;
  for (const Dim& d : *indices) {
    if (!d.is_known()) return std::nullopt;
    const int64_t n = static_cast<int64_t>(in.size()), i = d.value() < 0 ? d.value() + n : d.value();
    if (i < 0 || i >= n) return std::nullopt;
    out.push_back(in[static_cast<size_t>(i)]);
  }
  return out;
}

Content part_of(const ir::Node& node, const Dims& in, size_t output) {
  const Dims& sizes = list(node, "sizes");
  size_t at = 0;
  for (size_t i = 0; i <= output; ++i) {
    if (!sizes[i].is_known() || sizes[i].value() < 0 || at + static_cast<size_t>(sizes[i].value()) > in.size())
      return std::nullopt;
    if (i < output) at += static_cast<size_t>(sizes[i].value());
  }
  return Dims(in.begin() + static_cast<long>(at),
              in.begin() + static_cast<long>(at) + static_cast<long>(sizes[output].value()));
}

Content joined(const ir::Node& node) {
  Dims out;
  for (const ir::Value* v : node.inputs) {
    auto part = known_content(v);
    if (!part) return std::nullopt;
    out.insert(out.end(), part->begin(), part->end());
  }
  return out;
}

// start + i * step for a known number of elements.
Content counted(const Dim& start, const Dim& step, const Dim& count) {
  if (!count.is_known() || count.value() < 0 || count.value() > static_cast<int64_t>(max_content)) return std::nullopt;
  Dims out;
  for (int64_t i = 0; i < count.value(); ++i) out.push_back(start + step * Dim(i));
  return out;
}

// One value, repeated to the size of the result.
Content repeated(const ir::Node& node, const Dims& in) {
  const ir::Shape& shape = node.output()->shape();
  const Dim n = ir::product(shape);
  if (n.is_known() && n == Dim(static_cast<int64_t>(in.size()))) return in;
  if (in.size() != 1 || !n.is_known() || n.value() > static_cast<int64_t>(max_content)) return std::nullopt;
  return Dims(static_cast<size_t>(n.value()), in[0]);
}

Content reduced(const ir::Node& node, const Dims& in) {
  if (node.inputs[0]->rank() == 0 || list(node, "axes").empty()) return in;
  if (in.empty() || in.size() > 16) return std::nullopt;
  const Binary f = binary(node.op == "sum"       ? "add"
                          : node.op == "product" ? "multiply"
                          : node.op == "max"     ? "maximum"
                                                 : "minimum");
  Dim total = in[0];
  for (size_t i = 1; i < in.size(); ++i) total = *f(total, in[i]);
  return Dims{total};
}

Content summed(const ir::Node& node, const Dims& in) {
  for (const char* flag : {"exclusive", "reverse"})
    if (std::get<bool>(attribute(node, *get("cumsum").find(flag)))) return std::nullopt;
  Dims out;
  for (const Dim& d : in) out.push_back(out.empty() ? d : out.back() + d);
  return out;
}

// Ops whose first operand's content is known.
Content from_first(const ir::Node& node, const Dims& first, size_t output) {
  const std::string& op = node.op;
  if (op == "reshape" || op == "squeeze" || op == "expand_dims" || op == "copy" || op == "cast" || op == "transpose")
    return first;
  if (op == "slice") return sliced(node, first);
  if (op == "slice_update") return slice_updated(node, first);
  if (op == "take") return gathered(node, first);
  if (op == "split") return part_of(node, first, output);
  if (op == "broadcast" || op == "full") return repeated(node, first);
  if (op == "clip") return clipped(node, first);
  if (op == "negative") return zip({Dim(0)}, first, binary("subtract"));
  if (op == "abs")
    return std::all_of(first.begin(), first.end(), [](const Dim& d) { return is_at_least(d, 0); }) ? Content(first)
                                                                                                   : std::nullopt;
  if (op == "flip") return list(node, "axes").empty() ? first : Dims(first.rbegin(), first.rend());
  if (op == "sum" || op == "product" || op == "max" || op == "min") return reduced(node, first);
  if (op == "cumsum") return summed(node, first);
  if (op == "range") {
    auto delta = known_content(node.inputs[2]);
    return delta ? counted(first.at(0), delta->at(0), node.output()->shape()[0]) : std::nullopt;
  }
  if (Binary f = binary(op); f && node.inputs.size() == 2)
    if (auto second = known_content(node.inputs[1])) return zip(first, *second, f);
  return std::nullopt;
}

Content known_elements(const ir::Node& node, size_t output) {
  const std::string& op = node.op;
  if (op == "shape") return node.inputs[0]->shape();
  if (op == "dims") return std::get<Dims>(*node.find("values"));
  if (op == "dim") return Dims{std::get<Dim>(*node.find("value"))};
  if (op == "arange") {
    auto number = [&](const char* name) { return std::get<Dim>(attribute(node, *get(op).find(name))); };
    return counted(number("start"), number("step"), number("count"));
  }
  if (op == "concat") return joined(node);
  if (op == "where") return chosen(node);
  if (node.inputs.empty()) return std::nullopt;
  if (op == "cast" && is_float(node.inputs[0]->dtype())) return rounded(node.inputs[0]);
  auto first = known_content(node.inputs[0]);
  if (!first || !is_integer(node.inputs[0]->dtype())) return std::nullopt;
  return from_first(node, *first, output);
}

}  // namespace

Content infer_content(const ir::Node& node, size_t output) {
  const ir::Type& type = node.outputs.at(output)->type;
  if (!is_integer(type.dtype) || type.sequence || !type.shape || type.shape->size() > 1) return std::nullopt;
  if (output > 0 && node.op != "split") return std::nullopt;
  if (node.op == "if" || node.op == "loop") return std::nullopt;
  Content out = known_elements(node, output);
  if (!out || out->size() > max_content) return std::nullopt;
  // The number of elements is that of the type, or the op was read wrongly.
  const Dim n = type.shape->empty() ? Dim(1) : (*type.shape)[0];
  return n == Dim(static_cast<int64_t>(out->size())) ? out : std::nullopt;
}

}  // namespace godwit::ops
