#include "executors/inputs.h"

#include <algorithm>

#include "base/error.h"

namespace godwit::executors {
namespace {

[[noreturn]] void refuse(const ir::Value& input, const std::vector<int64_t>& shape, const std::string& where = "") {
  ir::Type given = input.type;
  given.shape = ir::Shape(shape.begin(), shape.end());
  raise<UsageError>("input {} expects {}{}, given {}", input.name, ir::str(input.type), where, ir::str(given));
}

template <class Visit>
void each_axis(const ir::Graph& graph, const InputShapes& shapes, Visit visit) {
  for (size_t i = 0; i < shapes.size(); ++i) {
    const ir::Value& input = *graph.inputs[i];
    if (!shapes[i] || !input.type.shape) continue;
    if (shapes[i]->size() != input.shape().size()) refuse(input, *shapes[i]);
    for (size_t axis = 0; axis < shapes[i]->size(); ++axis) visit(input, *shapes[i], axis);
  }
}

}  // namespace

void check_inputs(const ir::Graph& graph, const HostValues& given) {
  for (const ir::Value* input : graph.inputs) {
    auto found = given.find(input->name);
    require<UsageError>(found != given.end(), "input {} ({}) is not given", input->name, ir::str(input->type));
    const std::vector<Tensor>& items = found->second.items;
    for (const Tensor& t : items)
      require<UsageError>(t.dtype == input->dtype(), "input {} expects {}, given {}", input->name, ir::str(input->type),
                          describe(t));
    require<UsageError>(input->type.sequence || items.size() == 1, "input {} expects one tensor, {} are given",
                        input->name, items.size());
  }
  for (const auto& [name, value] : given)
    require<UsageError>(
        std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](const ir::Value* v) { return v->name == name; }),
        "the graph has no input called {}", name);
}

ir::Dim::Env bind_symbols(const ir::Graph& graph, const InputShapes& shapes) {
  ir::Dim::Env env;
  each_axis(graph, shapes, [&](const ir::Value& input, const std::vector<int64_t>& shape, size_t axis) {
    auto symbol = input.shape()[axis].as_symbol();
    if (!symbol) return;
    auto [bound, is_new] = env.emplace(*symbol, shape[axis]);
    if (bound->second != shape[axis]) refuse(input, shape, " with " + *symbol + " = " + std::to_string(bound->second));
  });
  // Known and derived dimensions, once every symbol is bound.
  each_axis(graph, shapes, [&](const ir::Value& input, const std::vector<int64_t>& shape, size_t axis) {
    const std::optional<int64_t> size = input.shape()[axis].try_eval(env);
    if (size && *size != shape[axis]) refuse(input, shape);
  });
  return env;
}

}  // namespace godwit::executors
