// A module as MLX function files, which stock MLX loads in any language: mx.import_function("model.mlxfn").
//
// A function holds one graph for fixed shapes; both branches of an `if` that depends on data, and a choice between
// them. Its arguments are the graph's inputs and then its states, its results the outputs and then the new states.
#include <mlx/export.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include "base/error.h"
#include "emit/emitter.h"
#include "executors/mlx/executor.h"
#include "ops/dtype.h"
#include "ops/product.h"

namespace godwit::emit {

namespace mx = mlx::core;

namespace {

mx::array zeros_like(const ir::Value& value, const ir::Dim::Env& sizes) {
  mx::Shape shape;
  for (const ir::Dim& d : value.shape()) {
    auto size = d.try_eval(sizes);
    require<UsageError>(size.has_value(), "[mlxfn] {} is {}: a function file has fixed shapes, give a size for {}",
                        value.name, ir::str(value.type), d.str());
    shape.push_back(static_cast<int32_t>(*size));
  }
  return mx::zeros(shape, ops::mlx_dtype(value.dtype()));
}

void refuse_sequences(const ir::Graph& graph) {
  for (const ir::Value* v : graph.inputs)
    require<UsageError>(!v->type.sequence, "[mlxfn] input {} is a sequence; function files take arrays only", v->name);
  for (size_t i = 0; i < graph.outputs.size(); ++i)
    require<UsageError>(!graph.outputs[i]->type.sequence,
                        "[mlxfn] output {} is a sequence; function files give arrays only", graph.output_names[i]);
}

void write_graph(const ir::Module& module, const ir::Graph& graph, const std::filesystem::path& file,
                 const Options& options) {
  refuse_sequences(graph);
  const ir::Dim::Env sizes(options.symbols.begin(), options.symbols.end());
  std::vector<mx::array> arguments;
  for (const ir::Value* v : graph.inputs) arguments.push_back(zeros_like(*v, sizes));
  for (const ir::State& s : graph.states) arguments.push_back(zeros_like(*s.before, sizes));

  executors::MlxExecutor executor(module, graph.name);
  executor.select_branches(true);
  auto function = [&](const std::vector<mx::array>& given) {
    std::vector<ops::Datum> inputs(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(graph.inputs.size()));
    executor.set_states({given.begin() + static_cast<std::ptrdiff_t>(graph.inputs.size()), given.end()});
    std::vector<mx::array> results;
    for (const ops::Datum& d : executor.call(inputs)) results.push_back(std::get<mx::array>(d));
    results.insert(results.end(), executor.states().begin(), executor.states().end());
    return results;
  };
  const ops::ForStockMlx stock;
  try {
    mx::export_function(file.string(), function, arguments);
  } catch (const UsageError&) {
    std::filesystem::remove(file);
    throw;
  } catch (const std::exception& e) {  // a loop, or an op that looks at its operands' numbers, cannot be traced
    std::filesystem::remove(file);
    raise<UsageError>("[mlxfn] graph {} depends on the data of a run, which a function file cannot hold: {}",
                      graph.name, e.what());
  }
}

}  // namespace

void write_mlxfn(const ir::Module& module, const std::filesystem::path& dir, const Options& options) {
  std::filesystem::create_directories(dir);
  for (const auto& [name, graph] : module.graphs)
    write_graph(module, graph, dir / ((name == "main" ? "model" : name) + ".mlxfn"), options);
}

}  // namespace godwit::emit
