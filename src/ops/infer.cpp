#include "ops/infer.h"

#include <algorithm>

#include "ir/fresh.h"

namespace godwit::ops {

const ir::Value& InferContext::input(size_t i) const {
  require<InternalError>(has(i), "[{}] operand {} is absent", describe(node_), i);
  return *node_.inputs[i];
}

const ir::Attr& InferContext::attr(std::string_view name) const {
  const Param* param = op_.find(name);
  require<InternalError>(param, "[{}] has no attribute {}", op_.name, name);
  return attribute(node_, *param);
}

ir::Dim InferContext::integer(std::string_view name) const { return std::get<ir::Dim>(attr(name)); }
const ir::Dims& InferContext::integers(std::string_view name) const { return std::get<ir::Dims>(attr(name)); }
double InferContext::real(std::string_view name) const { return std::get<double>(attr(name)); }
bool InferContext::flag(std::string_view name) const { return std::get<bool>(attr(name)); }
const std::string& InferContext::text(std::string_view name) const { return std::get<std::string>(attr(name)); }
DType InferContext::dtype_of(std::string_view name) const { return std::get<DType>(attr(name)); }
const Tensor& InferContext::tensor(std::string_view name) const { return std::get<Tensor>(attr(name)); }

int64_t InferContext::number(std::string_view name) const {
  ir::Dim d = integer(name);
  if (!d.is_known()) fail("attribute {} must be a number, it is {}", name, d.str());
  return d.value();
}

ir::Dim InferContext::fresh() { return ir::fresh_symbol('u'); }
ir::Dim InferContext::fresh_read() { return ir::fresh_symbol('r'); }

bool InferContext::is_read(std::string_view symbol) {
  return symbol.size() > 1 && symbol[0] == 'r' && symbol.find_first_not_of("0123456789", 1) == symbol.npos;
}

void InferContext::fail_with(const std::string& message) const {
  std::string operands;
  for (const ir::Value* v : node_.inputs)
    operands += (operands.empty() ? "" : ", ") + (v ? ir::str(v->type) : std::string("absent"));
  raise<UsageError>("[{}] {}; operands: {}{}", node_.op, message, operands,
                    node_.place.empty() && node_.scope.empty()
                        ? ""
                        : fmt::format(" (node {}{}{})", node_.scope,
                                      node_.scope.empty() || node_.place.empty() ? "" : ", ", node_.place));
}

int64_t InferContext::axis(const ir::Dim& axis, int64_t rank) const {
  int64_t a = axis.value(), limit = std::max<int64_t>(rank, 1);
  if (a < -limit || a >= limit) fail("axis {} is out of range for rank {}", a, rank);
  return a < 0 ? a + limit : a;
}

std::vector<int64_t> InferContext::axes(std::string_view name, int64_t rank) const {
  std::vector<int64_t> out;
  for (const ir::Dim& d : integers(name)) out.push_back(axis(d, rank));
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) != out.end()) fail("an axis is named twice");
  return out;
}

ir::Shape broadcast(const ir::Shape& a, const ir::Shape& b, const InferContext& context) {
  const ir::Shape& longer = a.size() >= b.size() ? a : b;
  const ir::Shape& shorter = a.size() >= b.size() ? b : a;
  ir::Shape out = longer;
  const size_t offset = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    const ir::Dim &x = longer[offset + i], &y = shorter[i];
    if (x == y || y.is(1)) continue;
    if (x.is(1))
      out[offset + i] = y;
    else if (x.is_known() && y.is_known())
      context.fail("shapes {} and {} do not broadcast", ir::str(a), ir::str(b));
    else if (y.is_known())
      out[offset + i] = y;
    else if (!x.is_known())
      out[offset + i] = InferContext::fresh();
  }
  return out;
}

namespace infer {
namespace {

ir::Shape broadcast_all(InferContext& c) {
  ir::Shape out;
  bool first = true;
  for (size_t i = 0; i < c.count(); ++i) {
    if (!c.has(i)) continue;
    out = first ? c.shape(i) : ops::broadcast(out, c.shape(i), c);
    first = false;
  }
  return out;
}

ir::Shape reduced(InferContext& c) {
  const ir::Shape& in = c.shape(0);
  std::vector<int64_t> axes = c.axes("axes", c.rank(0));
  bool keep = c.flag("keepdims");
  ir::Shape out;
  for (size_t i = 0; i < in.size(); ++i) {
    bool gone = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(i));
    if (!gone)
      out.push_back(in[i]);
    else if (keep)
      out.push_back(1);
  }
  return out;
}

}  // namespace

Types same(InferContext& c) { return {c.type(0)}; }
Types same_bool(InferContext& c) { return {{DType::boolean, c.shape(0)}}; }
Types broadcast(InferContext& c) { return {{c.dtype(0), broadcast_all(c)}}; }
Types broadcast_bool(InferContext& c) { return {{DType::boolean, broadcast_all(c)}}; }
Types reduce(InferContext& c) { return {{c.dtype(0), reduced(c)}}; }
Types reduce_bool(InferContext& c) { return {{DType::boolean, reduced(c)}}; }
Types reduce_i64(InferContext& c) { return {{DType::i64, reduced(c)}}; }
Types shape_param(InferContext& c) { return {{c.dtype_of("dtype"), c.integers("shape")}}; }

}  // namespace infer

void infer_node(ir::Graph& graph, ir::Node& node) {
  const Op* op = find(node.op);
  std::vector<ir::Type> types;
  bool known = op && op->infer;
  for (const ir::Value* v : node.inputs) known = known && (!v || v->type.shape || v->type.sequence);
  if (known) {
    InferContext context(node, *op);
    types = op->infer(context);
  } else if (op) {
    const bool gives_none = node.op == "bind" || node.op == "check";
    types.resize(std::max<size_t>(node.outputs.size(), gives_none ? 0 : 1));
  }
  while (node.outputs.size() < types.size()) {
    ir::Value v;
    v.producer = &node;
    node.outputs.push_back(graph.add_value(std::move(v)));
  }
  for (size_t i = 0; i < types.size(); ++i) node.outputs[i]->type = std::move(types[i]);
  if (known)
    for (size_t i = 0; i < node.outputs.size(); ++i) node.outputs[i]->content = infer_content(node, i);
}

}  // namespace godwit::ops
