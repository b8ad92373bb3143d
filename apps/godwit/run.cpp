// godwit run: inputs in, outputs out.
#include <fmt/format.h>
#include <mlx/device.h>

#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/output_file.h"
#include "device.h"
#include "executors/profile.h"
#include "formats/safetensors.h"
#include "inputs.h"
#include "load.h"
#include "verbs.h"

namespace godwit::app {
namespace {

struct Options {
  std::string model, output, graph = "main", executor, device = "cpu", trace;
  std::vector<std::string> inputs, sizes;
  uint64_t seed = 0;
  int runs = 5;
  bool json = false, profile = false;
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

std::optional<executors::Profile> profile_of(executors::Executor& executor,
                                             const std::map<std::string, executors::HostValue>& inputs,
                                             const Options& options) {
  if (!options.profile && options.trace.empty()) return std::nullopt;
  executors::Profile profile = executors::profile(executor, inputs, options.runs);
  if (!options.trace.empty()) write_file(options.trace, executors::to_trace(profile).dump() + "\n");
  return profile;
}

int run(const Options& options) {
  use_device(options.device);
  const Loaded loaded = load_to_run(options.model, shape_options(options.inputs));
  const std::string name = executor_for(options.device, options.executor);
  const auto executor = executors::make_executor(name, loaded.module, options.graph);
  const auto inputs = run_inputs(executor->graph(), options.inputs, options.sizes, options.seed);
  const auto start = std::chrono::steady_clock::now();
  const auto outputs = flat(executor->run(inputs));
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (!options.output.empty()) {
    require<UsageError>(options.output.ends_with(".safetensors"), "-o {}: outputs are written as .safetensors",
                        options.output);
    formats::write_safetensors(options.output, outputs);
  }
  const auto fallbacks = executor->fallbacks();
  const auto profile = profile_of(*executor, inputs, options);
  nlohmann::json tensors = nlohmann::json::object();
  for (const auto& [name, tensor] : outputs) tensors[name] = summary(tensor);
  if (options.json) {
    nlohmann::json answer{
        {"executor", name}, {"device", options.device}, {"fallbacks", fallbacks}, {"ms", ms}, {"outputs", tensors}};
    if (profile) answer["profile"] = executors::to_json(*profile);
    std::cout << answer.dump(2) << "\n";
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
  if (profile) fmt::print("\n{}: {}", name, executors::to_text(*profile));
  if (profile && !fallbacks.empty())
    fmt::print("\nthrough MLX for want of a kernel\n  {}\n", fmt::join(fallbacks, "\n  "));
  return 0;
}

}  // namespace

Verb add_run(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("run", "Run a package, or a model straight from its source file");
  verb->add_option("model", options->model, "A package or a source file")->required();
  verb->add_option(
      "--input", options->inputs,
      "NAME=FILE.npy, NAME=FILE.safetensors, NAME=NUMBER, NAME=SHAPE (random values, e.g. x=1,3,224,224),\n"
      "or one FILE.safetensors with all inputs; inputs that are not named are random");
  verb->add_option("--size", options->sizes, "SYMBOL=N: a symbolic dimension of random inputs (default 2)");
  verb->add_option("-o,--output", options->output, "Write the outputs to this .safetensors file");
  verb->add_option("--graph", options->graph, "The graph to run")->capture_default_str();
  verb->add_option("--executor", options->executor, executor_help);
  verb->add_option("--device", options->device, "cpu or gpu")->capture_default_str();
  verb->add_flag("--profile", options->profile, "Where the time goes: by op and by node, each node waited for");
  verb->add_option("--trace", options->trace,
                   "Write the profile as a Chrome trace (chrome://tracing, Perfetto): .json");
  verb->add_option("--runs", options->runs, "Profiled runs")->capture_default_str()->check(CLI::Range(1, 100000));
  verb->add_option("--seed", options->seed, "Of random inputs")->capture_default_str();
  verb->add_flag("--json", options->json, "One JSON object on stdout");
  verb->footer(
      footer("  godwit run model --input x=x.npy -o y.safetensors\n"
             "  godwit run model --input ids=4,128 --input scale=0.5  random values of that shape; a number\n"
             "  godwit run model --profile --trace trace.json         where the time goes\n"));
  return {verb, [options] { return run(*options); }};
}

}  // namespace godwit::app
