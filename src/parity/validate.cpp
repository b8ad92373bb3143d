#include "parity/validate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/error.h"
#include "base/progress.h"
#include "executors/executor.h"
#include "executors/mlx/executor.h"

namespace godwit::parity {
namespace {

using executors::HostValue;
using executors::MlxExecutor;

// JSON has no infinity; a reader gets the largest double.
double finite(double value) { return std::isfinite(value) ? value : std::numeric_limits<double>::max(); }

Tolerance resolve(const Tolerance& chosen, const ValidateOptions& options) {
  Tolerance t = chosen;
  if (options.atol || options.rtol) t.scaled = 0;
  if (options.scaled) t.scaled = *options.scaled;
  if (options.atol) t.atol = *options.atol;
  if (options.rtol) t.rtol = *options.rtol;
  return t;
}

Tensors at_step(const Tensors& tensors, const Golden& golden, int64_t step) {
  if (golden.steps == 0) return tensors;
  Tensors now;
  for (const auto& [name, tensor] : tensors) now.emplace(name, step_of(tensor, step));
  return now;
}

// Compares what nodes give with the reference's tensors of the same names while the graph runs.
class LayerWatch {
 public:
  LayerWatch(const ir::Graph& graph, const Tensors& reference, const Tolerance& tolerance)
      : reference_(reference), tolerance_(tolerance) {
    // A name may be used by several values (a translator's steps): the last one is what the source calls so.
    std::unordered_map<std::string, const ir::Value*> named;
    ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
      for (const ir::Value* output : node.outputs)
        if (!output->name.empty()) named[output->name] = output;
    });
    for (const auto& [name, tensor] : reference_) {
      auto found = named.find(name);
      if (found == named.end())
        ++unmatched_;
      else
        watched_.emplace(found->second, &tensor);
    }
  }

  void see(const ir::Node& node, const std::vector<ops::Datum>& results) {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      auto found = watched_.find(node.outputs[i]);
      const auto* array = std::get_if<ops::array>(&results[i]);
      if (found == watched_.end() || !array) continue;
      Tensor computed = executors::to_host(*array, node.outputs[i]->dtype());
      // A pass may have changed the layout or the type of a value that kept its name.
      if (computed.shape != found->second->shape || computed.dtype != found->second->dtype) {
        ++unmatched_;
        continue;
      }
      Comparison c = compare(node.outputs[i]->name, computed, *found->second, tolerance_);
      double error = c.not_finite ? std::numeric_limits<double>::infinity() : c.scaled_error();
      errors_.push_back({c.name, node.op, node.place, error, c.max_abs, c.passed, c.reason});
    }
  }

  std::vector<LayerError> take_errors() { return std::move(errors_); }
  int unmatched() const { return unmatched_; }

 private:
  const Tensors& reference_;
  const Tolerance tolerance_;
  std::unordered_map<const ir::Value*, const Tensor*> watched_;
  std::vector<LayerError> errors_;
  int unmatched_ = 0;
};

class Validator {
 public:
  Validator(const ir::Module& module, const ValidateOptions& options)
      : module_(module),
        executor_(executors::make_executor(options.executor, module, options.graph)),
        graph_(executor_->graph()),
        options_(options) {
    ChosenTolerance chosen = tolerance_for(graph_);
    result_.tolerance = resolve(chosen.tolerance, options);
    result_.tolerance_why = options.scaled || options.atol || options.rtol ? "given" : chosen.why;
  }

  void check(const Golden& golden) {
    executor_->reset();
    Tensors found;
    std::map<std::string, Comparison> worst;
    const int64_t steps = std::max<int64_t>(golden.steps, 1);
    Progress progress("validate", static_cast<uint64_t>(steps), "calls");
    for (int64_t step = 0; step < steps; ++step) {
      auto results = run(golden, step);
      compare_outputs(results, at_step(golden.outputs, golden, step), worst);
      progress.add(1);
    }
    GoldenVerdict verdict{golden.name, !worst.empty(), 0};
    for (auto& [name, comparison] : worst) {
      verdict.passed = verdict.passed && comparison.passed;
      verdict.max_error = std::max(verdict.max_error, error_of(comparison));
      keep_worst(std::move(comparison), worst_);
    }
    result_.goldens.push_back(std::move(verdict));
    std::string reference = golden.reference;
    if (golden.is_recorded) reference = reference.empty() ? "golden" : "golden (" + reference + ")";
    if (std::find(references_.begin(), references_.end(), reference) == references_.end())
      references_.push_back(reference);
  }

  ValidateResult finish() {
    result_.passed = true;
    for (const GoldenVerdict& verdict : result_.goldens) {
      result_.passed = result_.passed && verdict.passed;
      result_.max_error = std::max(result_.max_error, verdict.max_error);
    }
    for (auto& [name, comparison] : worst_) result_.outputs.push_back(std::move(comparison));
    result_.reference = fmt::format("{}", fmt::join(references_, ", "));
    for (const LayerError& layer : result_.layers) {
      if (layer.passed) continue;
      result_.first_divergence = layer;
      break;
    }
    return std::move(result_);
  }

 private:
  std::map<std::string, HostValue> run(const Golden& golden, int64_t step) {
    std::map<std::string, HostValue> inputs;
    Tensors given = at_step(golden.inputs, golden, step);
    for (const ir::Value* input : graph_.inputs) {
      auto tensor = given.find(input->name);
      require<UsageError>(tensor != given.end(), "{} has no tensor for input {} ({})", golden.name, input->name,
                          ir::str(input->type));
      inputs[input->name] = HostValue{{tensor->second}, input->type.sequence};
    }
    bool watch_layers = options_.layers && result_.layers.empty() && !golden.layers.empty();
    if (!watch_layers) return executor_->run(inputs);
    Tensors layers = at_step(golden.layers, golden, step);
    LayerWatch watch(graph_, layers, result_.tolerance);
    MlxExecutor watched(module_, options_.graph);
    watched.observe([&](const ir::Node& node, const auto& /*operands*/, const std::vector<ops::Datum>& results) {
      watch.see(node, results);
    });
    watched.run(inputs);
    result_.layers = watch.take_errors();
    result_.layers_unmatched = watch.unmatched();
    return executor_->run(inputs);
  }

  void compare_outputs(const std::map<std::string, HostValue>& results, const Tensors& expected,
                       std::map<std::string, Comparison>& worst) {
    for (const auto& [name, reference] : expected) {
      Comparison c;
      auto found = results.find(name);
      if (found == results.end() || found->second.items.size() != 1) {
        c.name = name;
        c.reference_shape = reference.shape;
        c.reference_dtype = reference.dtype;
        c.reason = found == results.end() ? "the graph has no such output" : "the graph gives a list";
        c.not_finite = 1;
      } else {
        c = compare(name, found->second.items[0], reference, result_.tolerance);
      }
      keep_worst(std::move(c), worst);
    }
    for (const auto& [name, value] : results) {
      if (expected.count(name)) continue;
      Comparison c;
      c.name = name;
      c.reason = "the reference has no such output";
      c.not_finite = 1;
      keep_worst(std::move(c), worst);
    }
  }

  static double error_of(const Comparison& c) {
    bool comparable = c.shape == c.reference_shape && c.dtype == c.reference_dtype && c.not_finite == 0;
    return comparable || c.passed ? c.scaled_error() : std::numeric_limits<double>::infinity();
  }

  // Of several steps and goldens the worst stands for an output.
  static void keep_worst(Comparison c, std::map<std::string, Comparison>& worst) {
    auto [place, is_new] = worst.emplace(c.name, c);
    if (is_new) return;
    bool worse = place->second.passed == c.passed ? c.scaled_error() > place->second.scaled_error() : !c.passed;
    if (worse) place->second = std::move(c);
  }

  const ir::Module& module_;
  std::unique_ptr<executors::Executor> executor_;
  const ir::Graph& graph_;
  const ValidateOptions& options_;
  ValidateResult result_;
  std::map<std::string, Comparison> worst_;
  std::vector<std::string> references_;
};

nlohmann::json to_json(const LayerError& layer) {
  return {{"name", layer.name},       {"op", layer.op},
          {"place", layer.place},     {"error", finite(layer.scaled_error)},
          {"max_abs", layer.max_abs}, {"passed", layer.passed},
          {"reason", layer.reason}};
}

}  // namespace

ValidateResult validate(const ir::Module& module, const std::vector<Golden>& goldens, const ValidateOptions& options) {
  require<UsageError>(!goldens.empty(), "nothing to compare with: no golden and no reference");
  auto start = std::chrono::steady_clock::now();
  Validator validator(module, options);
  for (const Golden& golden : goldens) validator.check(golden);
  ValidateResult result = validator.finish();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

nlohmann::json to_json(const Comparison& c) {
  return {{"name", c.name},
          {"passed", c.passed},
          {"reason", c.reason},
          {"shape", c.shape},
          {"dtype", long_name(c.dtype)},
          {"reference_shape", c.reference_shape},
          {"reference_dtype", long_name(c.reference_dtype)},
          {"max_abs", c.max_abs},
          {"mean_abs", c.mean_abs},
          {"max_rel", c.max_rel},
          {"mean_rel", c.mean_rel},
          {"scale", c.scale},
          {"error", c.scaled_error()},
          {"cosine", c.cosine},
          {"pearson", c.pearson},
          {"snr_db", finite(c.snr_db)},
          {"count", c.count},
          {"beyond", c.beyond},
          {"not_finite", c.not_finite}};
}

nlohmann::json to_json(const ValidateResult& r) {
  nlohmann::json outputs = nlohmann::json::array(), layers = nlohmann::json::array(), goldens = nlohmann::json::array();
  for (const Comparison& c : r.outputs) outputs.push_back(to_json(c));
  for (const LayerError& layer : r.layers) layers.push_back(to_json(layer));
  for (const GoldenVerdict& g : r.goldens)
    goldens.push_back({{"name", g.name}, {"passed", g.passed}, {"max_error", finite(g.max_error)}});
  return {{"status", r.passed ? "passed" : "failed"},
          {"tolerance", r.tolerance.scaled},
          {"atol", r.tolerance.atol},
          {"rtol", r.tolerance.rtol},
          {"tolerance_for", r.tolerance_why},
          {"max_error", finite(r.max_error)},
          {"reference", r.reference},
          {"goldens", goldens},
          {"outputs", outputs},
          {"first_divergence", r.first_divergence ? to_json(*r.first_divergence) : nlohmann::json()},
          {"layers", layers},
          {"layers_unmatched", r.layers_unmatched},
          {"seconds", r.seconds}};
}

}  // namespace godwit::parity
