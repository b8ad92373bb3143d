#include "proof.h"

#include "base/error.h"
#include "inputs.h"
#include "ir/text.h"

namespace godwit::app {

parity::Tensors example_inputs(const ir::Graph& graph, const std::string& file, const std::vector<std::string>& sizes) {
  std::vector<std::string> specs;
  if (!file.empty()) specs.push_back(file);
  parity::Tensors out;
  for (auto& [name, value] : run_inputs(graph, specs, sizes, 0)) {
    require<UsageError>(!value.is_sequence, "input {} is a sequence, which a golden cannot hold", name);
    out[name] = value.items.at(0);
  }
  return out;
}

namespace {

constexpr std::string_view fixed_prefix = "fixed/";

}  // namespace

void remember_fixed(ir::Module& module, const frontends::ImportOptions& options) {
  for (const auto& [name, input] : options.inputs) {
    bool remains = !input.value;
    for (const auto& [graph_name, graph] : module.graphs)
      for (const ir::Value* v : graph.inputs) remains = remains || v->name == name;
    if (!remains) module.metadata[std::string(fixed_prefix) + name] = ir::str(ir::Attr(*input.value));
  }
}

parity::Tensors with_fixed(const ir::Module& module, parity::Tensors inputs) {
  for (const auto& [key, text] : module.metadata)
    if (key.starts_with(fixed_prefix)) inputs[key.substr(fixed_prefix.size())] = std::get<Tensor>(ir::parse_attr(text));
  return inputs;
}

std::string describe(const parity::ValidateResult& result) {
  std::string out = fmt::format("{}  against {}\nlargest error {:.3g} of the output's scale, tolerance {:.3g} ({})\n",
                                result.passed ? "passed" : "FAILED", result.reference, result.max_error,
                                result.tolerance.scaled, result.tolerance_why);
  for (const parity::Comparison& c : result.outputs)
    out += fmt::format("  {:30} max_abs {:.3g}  cosine {:.9f}  {}\n", c.name, c.max_abs, c.cosine,
                       c.passed ? "" : c.reason);
  if (result.first_divergence)
    out +=
        fmt::format("first node over the tolerance: {} ({}, {}): {:.3g}\n", result.first_divergence->name,
                    result.first_divergence->op, result.first_divergence->place, result.first_divergence->scaled_error);
  return out;
}

}  // namespace godwit::app
