// Shape arithmetic: what is known of small integer tensors as dimensions.
#include <algorithm>

#include "ops/infer.h"

namespace godwit::ops {
namespace {

constexpr size_t max_content = 64;

std::optional<ir::Dims> content_of(const ir::Value* v) {
  if (!v) return std::nullopt;
  if (v->content) return v->content;
  if (v->producer && v->producer->op == "constant" && is_integer(v->dtype())) {
    const Tensor& t = std::get<Tensor>(*v->producer->find("value"));
    if (t.size() > static_cast<int64_t>(max_content)) return std::nullopt;
    ir::Dims out;
    for (int64_t i = 0; i < t.size(); ++i) out.push_back(t.integer(i));
    return out;
  }
  return std::nullopt;
}

using Binary = ir::Dim (*)(const ir::Dim&, const ir::Dim&);

Binary binary(std::string_view op) {
  if (op == "add") return [](const ir::Dim& a, const ir::Dim& b) { return a + b; };
  if (op == "subtract") return [](const ir::Dim& a, const ir::Dim& b) { return a - b; };
  if (op == "multiply") return [](const ir::Dim& a, const ir::Dim& b) { return a * b; };
  if (op == "trunc_divide")
    return [](const ir::Dim& a, const ir::Dim& b) {
      if (b.is(0) || b.is(-1)) return b.is(0) ? InferContext::fresh() : ir::Dim(0) - a;
      // Dimensions are not negative: there, both divisions round down.
      return a.is_known() && b.is_known() ? ir::Dim(a.value() / b.value()) : floordiv(a, b);
    };
  if (op == "floor_divide")
    return [](const ir::Dim& a, const ir::Dim& b) { return b.is(0) ? InferContext::fresh() : floordiv(a, b); };
  if (op == "remainder") return [](const ir::Dim& a, const ir::Dim& b) { return b.is(0) ? InferContext::fresh() : mod(a, b); };
  if (op == "minimum") return [](const ir::Dim& a, const ir::Dim& b) { return min(a, b); };
  if (op == "maximum") return [](const ir::Dim& a, const ir::Dim& b) { return max(a, b); };
  return nullptr;
}

// Elements of both sides under broadcasting of vectors and scalars.
std::optional<ir::Dims> zip(const ir::Dims& a, const ir::Dims& b, Binary f) {
  if (a.size() != b.size() && a.size() != 1 && b.size() != 1) return std::nullopt;
  ir::Dims out;
  const size_t n = a.size() == 1 ? b.size() : a.size();
  for (size_t i = 0; i < n; ++i) out.push_back(f(a[a.size() == 1 ? 0 : i], b[b.size() == 1 ? 0 : i]));
  return out;
}

// A constant slice of a vector.
std::optional<ir::Dims> sliced(const ir::Node& node, const ir::Dims& in) {
  auto list = [&](const char* name) { return std::get<ir::Dims>(attribute(node, *get("slice").find(name))); };
  ir::Dims starts = list("starts"), stops = list("stops"), steps = list("steps");
  if (node.inputs[0]->rank() != 1 || starts.size() != 1 || !starts[0].is_known() || !stops[0].is_known()) return std::nullopt;
  const int64_t step = steps.empty() ? 1 : steps[0].value(), n = static_cast<int64_t>(in.size());
  if (step == 0) return std::nullopt;
  // As Python does: negatives count from the end, what is out of range is clamped.
  auto place = [&](int64_t i) {
    if (i < 0) i += n;
    return step > 0 ? std::clamp<int64_t>(i, 0, n) : std::clamp<int64_t>(i, -1, n - 1);
  };
  ir::Dims out;
  for (int64_t i = place(starts[0].value()), end = place(stops[0].value()); step > 0 ? i < end : i > end; i += step)
    out.push_back(in[static_cast<size_t>(i)]);
  return out;
}

std::optional<ir::Dims> gathered(const ir::Node& node, const ir::Dims& in) {
  auto indices = content_of(node.inputs[1]);
  if (!indices || node.inputs[0]->rank() != 1) return std::nullopt;
  ir::Dims out;
  for (const ir::Dim& d : *indices) {
    if (!d.is_known()) return std::nullopt;
    int64_t i = d.value() < 0 ? d.value() + static_cast<int64_t>(in.size()) : d.value();
    if (i < 0 || i >= static_cast<int64_t>(in.size())) return std::nullopt;
    out.push_back(in[static_cast<size_t>(i)]);
  }
  return out;
}

}  // namespace

std::optional<ir::Dims> infer_content(const ir::Node& node) {
  const ir::Type& type = node.output()->type;
  if (!is_integer(type.dtype) || type.sequence || !type.shape || type.shape->size() > 1) return std::nullopt;
  const std::string& op = node.op;
  if (op == "shape") return node.inputs[0]->shape();
  if (op == "dims") return std::get<ir::Dims>(*node.find("values"));
  if (op == "dim") return ir::Dims{std::get<ir::Dim>(*node.find("value"))};
  if (op == "concat") {
    ir::Dims out;
    for (const ir::Value* v : node.inputs) {
      auto part = content_of(v);
      if (!part) return std::nullopt;
      out.insert(out.end(), part->begin(), part->end());
    }
    return out.size() <= max_content ? std::optional(out) : std::nullopt;
  }
  if (node.inputs.empty()) return std::nullopt;
  auto first = content_of(node.inputs[0]);
  if (!first) return std::nullopt;
  if (op == "reshape" || op == "squeeze" || op == "expand_dims" || op == "copy") return first;
  if (op == "cast") return is_integer(node.inputs[0]->dtype()) ? first : std::nullopt;
  if (op == "slice") return sliced(node, *first);
  if (op == "take") return gathered(node, *first);
  if (op == "negative") return zip({ir::Dim(0)}, *first, binary("subtract"));
  if (op == "product" && first->size() <= 16) return ir::Dims{ir::product(*first)};
  if (Binary f = binary(op); f && node.inputs.size() == 2)
    if (auto second = content_of(node.inputs[1])) return zip(*first, *second, f);
  return std::nullopt;
}

}  // namespace godwit::ops
