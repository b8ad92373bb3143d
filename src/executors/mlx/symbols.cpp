#include "executors/mlx/symbols.h"

#include <mlx/utils.h>

#include <set>
#include <sstream>

#include "base/error.h"
#include "ops/dtype.h"

namespace godwit::executors {

namespace mx = mlx::core;

namespace {

void note_symbols(const ir::Value* value, std::set<std::string>& known) {
  if (value->type.shape)
    for (const ir::Dim& d : *value->type.shape)
      if (auto s = d.as_symbol()) known.insert(*s);
}

const mx::array* array_of(const ops::Datum& datum) { return std::get_if<mx::array>(&datum); }

}  // namespace

std::string describe_array(const mx::array& array) {
  std::ostringstream dtype, out;
  dtype << array.dtype();
  const auto ours = parse_dtype(dtype.str());
  out << (ours ? std::string(name(*ours)) : dtype.str()) << "[";
  for (size_t i = 0; i < array.ndim(); ++i) out << (i ? ", " : "") << array.shape(static_cast<int>(i));
  return out.str() + "]";
}

SymbolTable::SymbolTable(const ir::Graph& graph) {
  std::set<std::string> known;
  for (const ir::Value* v : graph.inputs) note_symbols(v, known);
  for (const ir::State& s : graph.states) note_symbols(s.before, known);
  ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph& owner) {
    if (&owner != &graph)
      for (const ir::Value* v : owner.inputs) note_symbols(v, known);
    if (const ir::Attr* symbols = node.op == "bind" ? node.find("symbols") : nullptr)
      for (const std::string& s : std::get<std::vector<std::string>>(*symbols)) known.insert(s);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.outputs[i]->type.shape) continue;
      const ir::Shape& shape = *node.outputs[i]->type.shape;
      for (size_t axis = 0; axis < shape.size(); ++axis)
        if (auto s = shape[axis].as_symbol(); s && known.insert(*s).second) defined_by_[&node].push_back({i, axis, *s});
    }
  });
}

void SymbolTable::rebind_input(const ir::Value& input, const ops::Datum& datum, ir::Dim::Env& env) const {
  const mx::array* a = array_of(datum);
  if (!a || !input.type.shape || a->ndim() != input.type.shape->size()) return;
  for (size_t i = 0; i < a->ndim(); ++i)
    if (auto symbol = (*input.type.shape)[i].as_symbol()) env[*symbol] = a->shape(static_cast<int>(i));
}

void SymbolTable::bind_outputs(const ir::Node& node, const std::vector<ops::Datum>& results, ir::Dim::Env& env) const {
  if (auto places = defined_by_.find(&node); places != defined_by_.end())
    for (const Place& p : places->second)
      if (const mx::array* a = array_of(results[p.output]); a && p.axis < a->ndim())
        env[p.symbol] = a->shape(static_cast<int>(p.axis));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const ir::Type& type = node.outputs[i]->type;
    const mx::array* a = array_of(results[i]);
    if (!a || !type.shape) continue;
    bool fits = a->dtype() == ops::mlx_dtype(type.dtype) && a->ndim() == type.shape->size();
    for (size_t axis = 0; fits && axis < a->ndim(); ++axis) {
      const ir::Dim& d = (*type.shape)[axis];
      fits = !d.is_known() || d.value() == a->shape(static_cast<int>(axis));
    }
    require<InternalError>(fits, "[{}] result {} is {}, inferred was {}", describe(node), i, describe_array(*a),
                           ir::str(type));
  }
}

void SymbolTable::bind_shapes(const ir::Node& node, const Shapes& results, ir::Dim::Env& env) const {
  const auto places = defined_by_.find(&node);
  if (places == defined_by_.end()) return;
  for (const Place& p : places->second)
    if (const auto& shape = results.at(p.output); shape && p.axis < shape->size()) env[p.symbol] = (*shape)[p.axis];
}

}  // namespace godwit::executors
