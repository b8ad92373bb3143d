// godwit bench: latency, alone or in turn with the original.
#include <fmt/format.h>

#include <iostream>

#include "base/error.h"
#include "device.h"
#include "inputs.h"
#include "load.h"
#include "parity/reference.h"
#include "parity/report.h"
#include "proof.h"
#include "verbs.h"

namespace godwit::app {
namespace {

struct Options {
  std::string model, against, reference, inputs, report, graph = "main", device = "cpu", executor;
  std::vector<std::string> sizes, shapes;
  int threads = 1, runs = 100, warmup = 10;
  bool json = false;
};

// The original of a package is recorded in it; a source file is its own original.
std::string original(const Options& options, const Loaded& loaded) {
  if (!options.reference.empty()) return options.reference;
  if (loaded.format != "package") return options.model;
  auto source = loaded.module.metadata.find("export");  // of a model that is Python code
  if (source == loaded.module.metadata.end()) source = loaded.module.metadata.find("source");
  require<UsageError>(source != loaded.module.metadata.end() && std::filesystem::exists(source->second),
                      "the original of {} is not where it was; name it with --reference", options.model);
  return source->second;
}

void print(const parity::BenchResult& r) {
  fmt::print("godwit         median {:.3f} ms  p95 {:.3f}  p99 {:.3f}  ({} runs, {} threads, peak {:.0f} MB)\n",
             r.latency.median_ms, r.latency.p95_ms, r.latency.p99_ms, r.latency.runs, r.threads,
             static_cast<double>(r.peak_memory_bytes) / 1e6);
  if (!r.against) return;
  const auto& a = *r.against;
  fmt::print(
      "{:14} median {:.3f} ms  p95 {:.3f}  p99 {:.3f}  (version {}, peak {:.0f} MB)\nratio          {:.2f} (above 1: "
      "godwit is faster)\n",
      a.name, a.latency.median_ms, a.latency.p95_ms, a.latency.p99_ms, a.version,
      static_cast<double>(a.peak_memory_bytes) / 1e6, a.ratio);
}

int run(const Options& options) {
  use_device(options.device);
  const Loaded loaded = load_to_run(options.model, shape_options(options.shapes));
  require<UsageError>(loaded.module.graphs.contains(options.graph), "there is no graph called {}", options.graph);
  const parity::Tensors inputs = example_inputs(loaded.module.graphs.at(options.graph), options.inputs, options.sizes);
  std::unique_ptr<parity::Reference> peer;
  if (!options.against.empty() || !options.reference.empty()) {
    peer = std::make_unique<parity::Reference>(original(options, loaded), options.threads);
    require<UsageError>(options.against.empty() || peer->name().starts_with(options.against),
                        "the original runs in {}, not in {}", peer->name(), options.against);
    peer->set_inputs(with_fixed(loaded.module, inputs));
  }
  const parity::BenchOptions how{.graph = options.graph,
                                 .executor = executor_for(options.device, options.executor),
                                 .warmup = options.warmup,
                                 .runs = options.runs,
                                 .threads = options.threads};
  const parity::BenchResult result = parity::bench(loaded.module, inputs, how, peer.get());
  if (!options.report.empty()) parity::write_report(options.report, {options.model, {}, std::nullopt, result});
  if (options.json)
    std::cout << parity::to_json(result).dump(2) << "\n";
  else
    print(result);
  return 0;
}

}  // namespace

Verb add_bench(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("bench", "Latency and memory, alone or in turn with the original in its own framework")
          ->alias("benchmark");
  verb->add_option("model", options->model, "A package or a source file")->required();
  verb->add_option("--against", options->against, "torch or onnxruntime: run the original beside it");
  verb->add_option("--reference", options->reference, "The original, where the package's record of it does not hold");
  verb->add_option("--inputs", options->inputs, "A .safetensors file with the inputs (default: random)");
  verb->add_option("--input", options->shapes,
                   "NAME=SHAPE[:DTYPE]: where a source file does not say the shape of an input");
  verb->add_option("--size", options->sizes, "SYMBOL=N: a symbolic dimension of random inputs (default 2)");
  verb->add_option("--graph", options->graph, "The graph to measure")->capture_default_str();
  verb->add_option("--device", options->device, "cpu or gpu")->capture_default_str();
  verb->add_option("--executor", options->executor, executor_help);
  verb->add_option("--threads", options->threads, "Of both sides")->capture_default_str()->check(CLI::Range(1, 4096));
  verb->add_option("--runs", options->runs, "Measured runs of each side")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  verb->add_option("--warmup", options->warmup, "Runs before measuring")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000000));
  verb->add_option("--report", options->report, "Write a report: .json, .md or .html");
  verb->add_flag("--json", options->json, "One JSON object on stdout");
  verb->footer(
      footer("  godwit bench model --against onnxruntime --threads 2\n"
             "  godwit bench model --size batch=8 --size length=128 --report speed.html\n"));
  return {verb, [options] { return run(*options); }};
}

}  // namespace godwit::app
