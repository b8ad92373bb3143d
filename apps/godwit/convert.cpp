// godwit convert: read, lower, rewrite, check, write.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>

#include "base/atomic_output.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/naming.h"
#include "base/progress.h"
#include "emit/emitter.h"
#include "emit/package.h"
#include "export.h"
#include "inputs.h"
#include "ir/text.h"
#include "load.h"
#include "ops/hoist.h"
#include "parity/reference.h"
#include "parity/report.h"
#include "parity/tensor_file.h"
#include "passes/carry_state.h"
#include "passes/convert_dtype.h"
#include "passes/pass.h"
#include "proof.h"
#include "quantize.h"
#include "verbs.h"

namespace godwit::app {
namespace {

struct Options {
  std::string model, output, dtype = "float32", dump_after, report, golden, model_class, weights, save_export;
  std::vector<std::string> inputs, emit, sizes, states;
  bool validate = false, benchmark = false, json = false;
  int threads = 1;
  QuantizeArguments quantize;
};

size_t count_nodes(const ir::Module& module) {
  size_t n = 0;
  for (const auto& [name, graph] : module.graphs) n += ir::node_count(graph);
  return n;
}

void rewrite(ir::Module& module, const Options& options) {
  if (!options.dump_after.empty()) {
    bool known = false;
    for (const passes::Pass& p : passes::pipeline()) known = known || p.name == options.dump_after;
    std::vector<std::string_view> names;
    for (const passes::Pass& p : passes::pipeline()) names.push_back(p.name);
    require<UsageError>(known, "there is no pass called {}; the passes are: {}", options.dump_after,
                        fmt::join(names, ", "));
  }
  const Activity activity("passes");
  naming(options.model, [&] {
    passes::optimize(module, [&](const passes::Pass& pass, const ir::Graph& graph) {
      if (pass.name == options.dump_after) std::cerr << ir::print(graph);
    });
  });
  if (options.dtype != "float32") {
    auto dtype = parse_dtype(options.dtype);
    require<UsageError>(dtype.has_value(), "--dtype {}: no such type", options.dtype);
    passes::convert_dtype(module, *dtype);
    passes::optimize(module);
  }
}

struct Outcome {
  nlohmann::json answer;
  std::optional<parity::QuantizationReport> quantization;
  bool passed = true;
};

// Sizes of symbolic dimensions: as asked for, else as in the golden.
ir::Dim::Env sizes_of(const ir::Graph& graph, const std::optional<parity::Golden>& golden, const Options& options) {
  ir::Dim::Env sizes = parse_sizes(options.sizes);
  for (const ir::Value* input : graph.inputs) {
    if (!golden || !golden->inputs.contains(input->name)) continue;
    const Tensor& tensor = golden->inputs.at(input->name);
    learn_symbols(*input, golden->steps ? parity::step_of(tensor, 0) : tensor, sizes);
  }
  return sizes;
}

// What one emitter cannot write does not take the package or the other forms away: it is reported.
void emit_code(const ir::Module& module, const std::filesystem::path& folder, const Options& options,
               const std::optional<parity::Golden>& golden, Outcome& outcome) {
  emit::Options how;
  how.class_name = std::filesystem::absolute(options.output).lexically_normal().filename().string();
  const ir::Dim::Env sizes = sizes_of(module.main(), golden, options);
  how.symbols = {sizes.begin(), sizes.end()};
  how.tolerance = parity::tolerance_for(module.main()).tolerance.scaled;
  how.golden_steps = golden ? golden->steps : 0;
  for (const emit::Emitter& e : emit::emitters) {
    if (std::find(options.emit.begin(), options.emit.end(), e.name) == options.emit.end()) continue;
    const Activity activity(fmt::format("emit {}", e.name));
    try {
      // A function file lies in the package itself, code in a folder of its own.
      e.write(module, e.name == "mlxfn" ? folder : folder / e.name, how);
    } catch (const UsageError& refusal) {
      outcome.answer["refused"][std::string(e.name)] = refusal.what();
      outcome.passed = false;
    }
  }
}

// What the model is to give, recorded before or asked from the original now.
parity::Golden golden_for(const ir::Module& module, const parity::Tensors& inputs, parity::Reference* reference,
                          const Options& options) {
  if (!options.golden.empty()) return parity::load_golden(options.golden);
  const Activity activity("run the original");
  parity::Golden golden = reference->run(with_fixed(module, inputs));
  golden.inputs = inputs;
  reference->reset();
  return golden;
}

// What the original says, before the module is written.
struct Recorded {
  std::optional<parity::Reference> reference;
  parity::Tensors inputs;
  std::optional<parity::Golden> golden;  // lies in the package from here on
};

bool compares(const Options& options) { return options.validate || !options.golden.empty(); }

Recorded record(const ir::Module& module, const std::filesystem::path& folder, const Options& options) {
  Recorded out;
  if (!compares(options) && !options.benchmark) return out;
  if (options.golden.empty() || options.benchmark) {
    const Activity activity("load the original");
    out.reference.emplace(options.model, options.threads);
    out.inputs = example_inputs(module.main(), "", options.sizes);
  }
  if (compares(options)) {
    out.golden = golden_for(module, out.inputs, out.reference ? &*out.reference : nullptr, options);
    emit::write_golden(folder, parity::tensors_of(*out.golden), parity::metadata_of(*out.golden));
  }
  return out;
}

// Errors are measured on the inputs of the golden, on random ones where there is none.
void quantize(ir::Module& module, const std::filesystem::path& folder, const Recorded& recorded, const Options& options,
              Outcome& outcome) {
  if (options.quantize.bits.empty()) return;
  parity::Golden example{.name = "random input"};
  if (!recorded.golden) example.inputs = example_inputs(module.main(), "", options.sizes);
  const parity::QuantizationReport report =
      parity::quantize(module, recorded.golden ? *recorded.golden : example, quantize_options(options.quantize));
  describe_quantization(report, module);
  save_quantization(report, folder);
  outcome.answer["quantization"] = parity::to_json(report);
  outcome.quantization = report;
}

void prove(const ir::Module& module, Recorded& recorded, const Options& options, Outcome& outcome) {
  parity::Report report{options.output, {{"source", options.model}}, {}, {}, outcome.quantization};
  if (compares(options)) {
    report.validation = parity::validate(module, {*recorded.golden}, {});
    outcome.answer["validation"] = parity::to_json(*report.validation);
    outcome.passed = outcome.passed && report.validation->passed;
  }
  if (options.benchmark) {
    recorded.reference->set_inputs(with_fixed(module, recorded.inputs));
    report.measurement =
        parity::bench(module, recorded.inputs, {.graph = "main", .warmup = 10, .runs = 100, .threads = options.threads},
                      &*recorded.reference);
    outcome.answer["benchmark"] = parity::to_json(*report.measurement);
  }
  if (!options.report.empty()) parity::write_report(options.report, report);
}

void check_options(const Options& options) {
  if (!options.quantize.bits.empty())
    quantize_options(options.quantize);  // throws before the work begins
  else
    require<UsageError>(options.quantize.keep.empty() && options.quantize.overrides.empty(),
                        "--keep and --override go with --quantize");
  for (const std::string& name : options.emit)
    require<UsageError>(std::ranges::find(emit::emitters, name, &emit::Emitter::name) != std::end(emit::emitters),
                        "--emit {}: choose from cpp, python, mlxfn", name);
  emit::check_replaceable(options.output);
}

// A model that is Python code becomes a .pt2 file in `folder`, which takes its place from here on.
std::optional<Exported> export_if_python(Options& options, const std::filesystem::path& folder) {
  if (!is_python_model(options.model)) {
    require<UsageError>(options.model_class.empty() && options.weights.empty() && options.save_export.empty(),
                        "--model-class, --weights and --save-export are for Python files and model folders; {} is "
                        "neither",
                        options.model);
    return std::nullopt;
  }
  Exported exported =
      export_model({options.model, options.model_class, options.weights, options.inputs, options.sizes}, folder);
  options.model = exported.program.string();
  if (options.golden.empty()) options.golden = exported.golden.string();
  return exported;
}

void finish_export(const Exported& exported, const Options& options, ir::Module& module, Outcome& outcome) {
  module.metadata["exported"] = exported.what + ", " + exported.framework;
  outcome.answer["export"] = {{"what", exported.what}, {"framework", exported.framework}};
  if (options.save_export.empty()) return;
  std::error_code error;
  std::filesystem::copy_file(exported.program, options.save_export, std::filesystem::copy_options::overwrite_existing,
                             error);
  require<UsageError>(!error, "cannot write {}: {}", options.save_export, error.message());
  module.metadata["export"] = std::filesystem::absolute(options.save_export).string();
}

frontends::Imported read(const std::string& model, const frontends::ImportOptions& how) {
  const Activity activity("read " + std::filesystem::path(model).filename().string());
  return frontends::import_model(model, how);
}

Outcome convert(Options options) {
  check_options(options);
  const auto start = std::chrono::steady_clock::now();
  const std::string source = options.model;
  AtomicOutput output(options.output, AtomicOutput::Kind::folder);
  const std::optional<Exported> exported = export_if_python(options, output.path());
  const frontends::ImportOptions how = exported ? exported->inputs : import_options(options.inputs);
  frontends::Imported imported = read(options.model, how);
  require_supported(imported.module, options.model);
  ir::Module& module = imported.module;
  const size_t before = count_nodes(module);
  for (const std::string& spec : options.states) {
    const auto [input, output] = split_pair(spec, "--state");
    passes::carry_state(module.main(), input, output);
  }
  rewrite(module, options);
  ops::hoist_constants(module);
  Outcome outcome;
  remember_fixed(module, how);
  module.metadata["source"] = std::filesystem::absolute(source).string();
  module.metadata["format"] = imported.format;
  if (exported) finish_export(*exported, options, module, outcome);
  const int64_t parameters = parameter_count(module);
  Recorded recorded = record(module, output.path(), options);
  quantize(module, output.path(), recorded, options, outcome);
  emit::write_package(module, output.path());
  prove(module, recorded, options, outcome);
  emit_code(module, output.path(), options, recorded.golden, outcome);
  if (exported)
    for (const std::filesystem::path& made : {exported->program, exported->golden}) std::filesystem::remove(made);
  output.commit();
  nlohmann::json& a = outcome.answer;
  a["status"] = outcome.passed ? "converted" : a.contains("refused") ? "incomplete" : "failed";
  a["package"] = options.output;
  a["format"] = imported.format;
  a["source_nodes"] = imported.source_nodes;
  a["nodes_before"] = before;
  a["nodes_after"] = count_nodes(module);
  a["parameters"] = parameters;
  a["unsupported"] = nlohmann::json::object();
  a["warnings"] = imported.warnings;
  if (exported)
    for (const std::string& w : exported->warnings) a["warnings"].push_back(w);
  a["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  a["peak_memory_bytes"] = peak_memory_bytes();
  return outcome;
}

int run(const Options& options) {
  const Outcome outcome = convert(options);
  if (options.json) {
    std::cout << outcome.answer.dump(2) << "\n";
  } else {
    const auto& a = outcome.answer;
    for (const auto& w : a["warnings"]) fmt::print(stderr, "warning: {}\n", w.get<std::string>());
    fmt::print("{}: {} nodes, {} after passes, {} parameters, {:.1f} s\n", options.output,
               a["nodes_before"].get<size_t>(), a["nodes_after"].get<size_t>(), a["parameters"].get<int64_t>(),
               a["seconds"].get<double>());
    if (outcome.quantization) std::cout << parity::to_text(*outcome.quantization);
    if (a.contains("validation"))
      fmt::print("{}: largest error {:.3g} of the output's scale, tolerance {:.3g} ({})\n",
                 a["validation"]["status"] == "passed" ? "validated" : "VALIDATION FAILED",
                 a["validation"]["max_error"].get<double>(), a["validation"]["tolerance"].get<double>(),
                 a["validation"]["tolerance_for"].get<std::string>());
    if (a.contains("refused"))
      for (const auto& [name, reason] : a["refused"].items())
        fmt::print(stderr, "not written: --emit {}: {}\n", name, reason.get<std::string>());
    if (a.contains("benchmark")) fmt::print("median {:.3f} ms\n", a["benchmark"]["median_ms"].get<double>());
  }
  return outcome.passed ? 0 : 1;
}

}  // namespace

Verb add_convert(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("convert", "Turn a model file into a package that godwit runs");
  verb->add_option("model", options->model,
                   "A .onnx, TorchScript .pt or .pt2 file; a .py file (--model-class); a transformers folder")
      ->required();
  verb->add_option("-o,--output", options->output, "The package: a folder, made whole or not at all")->required();
  verb->add_option("--input", options->inputs, "NAME=SHAPE[:DTYPE], e.g. x=B,3,224,224, or NAME=VALUE for a scalar");
  verb->add_option("--model-class", options->model_class,
                   "What makes the model: a class or function of the .py file, e.g. Net or 'Net(width=2)';\n"
                   "of a transformers folder, the class to take instead of the one in config.json");
  verb->add_option("--weights", options->weights, "A state dict (.pt, .safetensors) for the model of the .py file");
  verb->add_option("--save-export", options->save_export, "Keep what Python exported, a .pt2 file");
  verb->add_option("--dtype", options->dtype, "float32, float16 or bfloat16")->capture_default_str();
  verb->add_option("--quantize", options->quantize.bits, bits_help);
  add_quantize_options(*verb, options->quantize);
  verb->add_option("--emit", options->emit, "cpp, python, mlxfn: code and function files beside the package")
      ->delimiter(',');
  verb->add_flag("--validate", options->validate,
                 "Compare with the original, and keep its inputs and outputs as the golden");
  verb->add_option("--golden", options->golden,
                   "Compare with recorded inputs and outputs instead, and keep them as the golden");
  verb->add_option("--state", options->states,
                   "INPUT=OUTPUT: what a call gives is what the next one reads; it starts as zeros");
  verb->add_flag("--benchmark", options->benchmark, "Measure beside the original");
  verb->add_option("--size", options->sizes, "SYMBOL=N: a symbolic dimension of random inputs (default 2)");
  verb->add_option("--threads", options->threads, "For --benchmark")->capture_default_str();
  verb->add_option("--report", options->report, "With --validate or --benchmark: .json, .md or .html");
  verb->add_option("--dump-after", options->dump_after, "Print the graph on stderr after this pass");
  verb->add_flag("--json", options->json, "One JSON object on stdout");
  verb->footer(
      footer("  godwit convert model.onnx -o model --validate         and prove it: runs the original beside it\n"
             "  godwit convert model.pt2 -o model --input x=batch,3,224,224      names for dynamic dimensions\n"
             "  godwit convert vad.onnx -o vad --input sr=16000       an input becomes a constant\n"
             "  godwit convert net.py --model-class 'Net(width=2)' --input x=batch,3,height,width -o net\n"
             "  godwit convert all-MiniLM-L6-v2/ -o minilm            a transformers folder, batch and length dynamic\n"
             "  godwit convert model.pt2 -o model --emit cpp,python   and code beside it\n"));
  return {verb, [options] { return run(*options); }};
}

}  // namespace godwit::app
