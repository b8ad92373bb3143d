// godwit validate: does the package compute what its source computes?
#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "device.h"
#include "emit/package.h"
#include "inputs.h"
#include "load.h"
#include "parity/reference.h"
#include "parity/report.h"
#include "parity/tensor_file.h"
#include "parity/test_data.h"
#include "proof.h"
#include "verbs.h"

namespace godwit::app {
namespace {

struct Options {
  std::string model, reference, golden, inputs, report, graph = "main", device = "cpu", executor;
  std::vector<std::string> sizes, shapes;
  bool layers = false, json = false;
  double atol = -1, rtol = -1;
};

std::vector<parity::Golden> goldens(const Options& options, const ir::Module& module) {
  const ir::Graph& graph = module.graphs.at(options.graph);
  if (std::filesystem::is_directory(options.golden))
    return parity::load_test_data(options.golden, graph, with_fixed(module, {}));
  if (!options.golden.empty()) return {parity::load_golden(options.golden)};
  if (!options.reference.empty()) {
    parity::Reference reference(options.reference, 1, options.layers);
    const parity::Tensors inputs = example_inputs(graph, options.inputs, options.sizes);
    parity::Golden golden = reference.run(with_fixed(module, inputs));
    golden.inputs = inputs;
    return {golden};
  }
  const std::filesystem::path stored = std::filesystem::path(options.model) / emit::golden_name;
  // ONNX's test suites keep the data beside the model.
  const std::filesystem::path beside = std::filesystem::absolute(options.model).parent_path();
  if (!std::filesystem::is_directory(options.model) && parity::is_test_data(beside))
    return parity::load_test_data(beside, graph, with_fixed(module, {}));
  require<UsageError>(std::filesystem::exists(stored),
                      "{} holds no golden; name the original with --reference, or a file with --golden", options.model);
  return {parity::load_golden(stored)};
}

int run(const Options& options) {
  use_device(options.device);
  const Loaded loaded = load_to_run(options.model, shape_options(options.shapes));
  require<UsageError>(loaded.module.graphs.contains(options.graph), "there is no graph called {}", options.graph);
  parity::ValidateOptions how{.graph = options.graph,
                              .executor = executor_for(options.device, options.executor),
                              .layers = options.layers,
                              .scaled = {},
                              .atol = {},
                              .rtol = {}};
  if (options.atol >= 0) how.atol = options.atol;
  if (options.rtol >= 0) how.rtol = options.rtol;
  const parity::ValidateResult result = parity::validate(loaded.module, goldens(options, loaded.module), how);
  if (!options.report.empty()) parity::write_report(options.report, {options.model, {}, result, std::nullopt});
  if (options.json)
    std::cout << parity::to_json(result).dump(2) << "\n";
  else
    std::cout << describe(result);
  return result.passed ? 0 : 1;
}

}  // namespace

Verb add_validate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("validate", "Compare a package with its original, or with recorded inputs and outputs");
  verb->add_option("model", options->model, "A package or a source file")->required();
  verb->add_option("--reference", options->reference, "The original: runs in its own framework (onnxruntime, PyTorch)");
  verb->add_option("--golden", options->golden,
                   "A .safetensors file with input/NAME and output/NAME, or a folder of ONNX test data\n"
                   "(test_data_set_K/input_I.pb, output_I.pb)");
  verb->add_option("--inputs", options->inputs,
                   "A .safetensors file with the inputs for --reference (default: random)");
  verb->add_option("--input", options->shapes,
                   "NAME=SHAPE[:DTYPE]: where a source file does not say the shape of an input");
  verb->add_option("--size", options->sizes, "SYMBOL=N: a symbolic dimension of random inputs (default 2)");
  verb->add_option("--graph", options->graph, "The graph to compare")->capture_default_str();
  verb->add_option("--device", options->device, "cpu or gpu")->capture_default_str();
  verb->add_option("--executor", options->executor, executor_help);
  verb->add_flag("--layers", options->layers, "Compare node by node and name the first one over the tolerance");
  verb->add_option("--atol", options->atol,
                   "Absolute tolerance (default: by dtype and depth, a share of the output's scale)");
  verb->add_option("--rtol", options->rtol, "Relative tolerance");
  verb->add_option("--report", options->report, "Write a report: .json, .md or .html");
  verb->add_flag("--json", options->json, "One JSON object on stdout");
  verb->footer(
      footer("  godwit validate model                                 against the golden in the package\n"
             "  godwit validate model --reference model.onnx --layers against the original, node by node\n"
             "  godwit validate model --golden test_data_set_0        against ONNX test data\n"
             "  godwit validate model --reference model.pt2 --inputs x.safetensors --report proof.html\n"));
  return {verb, [options] { return run(*options); }};
}

}  // namespace godwit::app
