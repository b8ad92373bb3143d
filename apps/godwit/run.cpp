// godwit run: inputs in, outputs out.
#include <fmt/format.h>
#include <mlx/device.h>

#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "device.h"
#include "formats/safetensors.h"
#include "inputs.h"
#include "load.h"
#include "verbs.h"

namespace godwit::app {
namespace {

struct Options {
  std::string model, output, graph = "main", executor = "mlx", device = "cpu";
  std::vector<std::string> inputs, sizes;
  uint64_t seed = 0;
  bool json = false;
};

std::map<std::string, Tensor> flat(const std::map<std::string, executors::HostValue>& values) {
  std::map<std::string, Tensor> out;
  for (const auto& [name, value] : values)
    for (size_t i = 0; i < value.items.size(); ++i)
      out[value.is_sequence ? fmt::format("{}.{}", name, i) : name] = value.items[i];
  return out;
}

nlohmann::json summary(const Tensor& t) {
  nlohmann::json out{{"dtype", long_name(t.dtype)}, {"shape", t.shape}};
  if (t.size() == 0 || is_complex(t.dtype) || is_small_float(t.dtype)) return out;
  double low = INFINITY, high = -INFINITY, sum = 0;
  for (int64_t i = 0; i < t.size(); ++i) {
    const double v = t.number(i);
    low = std::min(low, v);
    high = std::max(high, v);
    sum += v;
  }
  out["min"] = low;
  out["max"] = high;
  out["mean"] = sum / static_cast<double>(t.size());
  return out;
}

int run(const Options& options) {
  require<UsageError>(options.executor == "mlx", "there is no executor called {}; this build has: mlx",
                      options.executor);
  use_device(options.device);
  const Loaded loaded = load_to_run(options.model);
  executors::MlxExecutor executor(loaded.module, options.graph);
  const auto inputs = run_inputs(executor.graph(), options.inputs, options.sizes, options.seed);
  const auto start = std::chrono::steady_clock::now();
  const auto outputs = flat(executor.run(inputs));
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (!options.output.empty()) formats::write_safetensors(options.output, outputs);
  nlohmann::json tensors = nlohmann::json::object();
  for (const auto& [name, tensor] : outputs) tensors[name] = summary(tensor);
  if (options.json) {
    std::cout << nlohmann::json{{"executor", options.executor},
                                {"device", options.device},
                                {"fallbacks", nlohmann::json::array()},
                                {"ms", ms},
                                {"outputs", tensors}}
                     .dump(2)
              << "\n";
    return 0;
  }
  for (const auto& [name, s] : tensors.items()) {
    fmt::print("{}: {}[{}]", name, s["dtype"].get<std::string>(),
               fmt::join(s["shape"].get<std::vector<int64_t>>(), ", "));
    if (s.contains("mean"))
      fmt::print("  min {:.6g}  max {:.6g}  mean {:.6g}", s["min"].get<double>(), s["max"].get<double>(),
                 s["mean"].get<double>());
    fmt::print("\n");
  }
  return 0;
}

}  // namespace

Verb add_run(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("run", "Run a package, or a model straight from its source file");
  verb->add_option("model", options->model, "A package or a source file")->required();
  verb->add_option(
      "--input", options->inputs,
      "NAME=FILE.npy, NAME=FILE.safetensors, NAME=NUMBER, NAME=random, or one FILE.safetensors with all inputs;\n"
      "inputs that are not named are random");
  verb->add_option("--size", options->sizes, "SYMBOL=N: a symbolic dimension of random inputs (default 2)");
  verb->add_option("-o,--output", options->output, "Write the outputs to this .safetensors file");
  verb->add_option("--graph", options->graph, "The graph to run")->capture_default_str();
  verb->add_option("--executor", options->executor, "mlx")->capture_default_str();
  verb->add_option("--device", options->device, "cpu or gpu")->capture_default_str();
  verb->add_option("--seed", options->seed, "Of random inputs")->capture_default_str();
  verb->add_flag("--json", options->json, "One JSON object on stdout");
  return {verb, [options] { return run(*options); }};
}

}  // namespace godwit::app
