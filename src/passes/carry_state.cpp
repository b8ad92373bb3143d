#include "passes/carry_state.h"

#include <algorithm>
#include <ranges>

#include "base/error.h"

namespace godwit::passes {
namespace {

// Equal as far as both are known: sources often leave the sizes of the new state open.
bool may_be_equal(const ir::Type& a, const ir::Type& b) {
  if (a.dtype != b.dtype || a.sequence || b.sequence || !a.shape || !b.shape) return false;
  return std::ranges::equal(*a.shape, *b.shape, [](const ir::Dim& x, const ir::Dim& y) {
    return !x.is_known() || !y.is_known() || x.value() == y.value();
  });
}

std::string names_of(const std::vector<ir::Value*>& values) {
  std::vector<std::string> names;
  for (const ir::Value* v : values) names.push_back(v->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

bool has_size(const std::vector<ir::Value*>& inputs, const std::string& symbol) {
  return std::ranges::any_of(inputs, [&](const ir::Value* v) {
    return v->type.shape && std::ranges::count(*v->type.shape, ir::Dim::symbol(symbol)) > 0;
  });
}

}  // namespace

void carry_state(ir::Graph& graph, const std::string& input, const std::string& output) {
  auto in = std::ranges::find(graph.inputs, input, &ir::Value::name);
  require<UsageError>(in != graph.inputs.end(), "--state {}={}: the model has no input called {}; it has: {}", input,
                      output, input, names_of(graph.inputs));
  auto out = std::ranges::find(graph.output_names, output);
  require<UsageError>(out != graph.output_names.end(), "--state {}={}: the model has no output called {}; it has: {}",
                      input, output, output, fmt::join(graph.output_names, ", "));
  ir::Value* const before = *in;
  ir::Value* const after = graph.outputs[static_cast<size_t>(out - graph.output_names.begin())];
  require<UsageError>(may_be_equal(before->type, after->type), "--state {}={}: the input is {}, the output {}", input,
                      output, ir::str(before->type), ir::str(after->type));
  graph.inputs.erase(in);
  for (const ir::Dim& d : before->shape())
    d.visit_symbols([&](const std::string& s) {
      require<UsageError>(has_size(graph.inputs, s),
                          "--state {}={}: no other input tells the size {} of {}; give it: --input {}=SHAPE", input,
                          output, s, ir::str(before->type), input);
    });
  before->kind = ir::Value::Kind::state;
  graph.states.push_back({input, before, after, std::nullopt});
}

}  // namespace godwit::passes
