#include "parity/quantization.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/progress.h"
#include "executors/executor.h"
#include "executors/mlx/executor.h"
#include "parity/quantization_error.h"
#include "passes/quantize.h"

namespace godwit::parity {
namespace {

using executors::HostValue;
using executors::HostValues;
using executors::MlxExecutor;
using passes::AffineFormat;
using passes::QuantizableWeight;

int64_t calls_of(const Golden& golden) { return std::clamp<int64_t>(golden.steps, 1, most_measured_calls); }

HostValues inputs_of(const ir::Graph& graph, const Golden& golden, int64_t call) {
  HostValues out;
  for (const ir::Value* input : graph.inputs) {
    auto tensor = golden.inputs.find(input->name);
    require<UsageError>(tensor != golden.inputs.end(), "{} has no tensor for input {} ({})", golden.name, input->name,
                        ir::str(input->type));
    const Tensor now = golden.steps == 0 ? tensor->second : step_of(tensor->second, call);
    out[input->name] = {{now}, input->type.sequence};
  }
  return out;
}

ops::array array_of(const Tensor& tensor) { return executors::to_mlx(tensor); }

// One quantisation, from measurements to the report.
class Quantization {
 public:
  Quantization(ir::Module& module, const Golden& example, const QuantizeOptions& options)
      : module_(module), example_(example), options_(options) {
    require<UsageError>(!passes::is_quantized(module), "the model is quantised already; start from the float one");
    require<UsageError>(module.graphs.contains(options.graph), "there is no graph called {}", options.graph);
    weights_ = passes::quantizable_weights(module, options.group_size);
    for (const QuantizableWeight& w : weights_)
      for (const ir::Node* node : w.nodes) readers_[node] = &w;
  }

  QuantizationReport run() {
    apply_overrides();
    const std::vector<HostValues> before = run_graph();
    report_.bytes_before = weight_bytes();
    if (is_mixed()) choose(before);
    measure();
    describe_layers();
    std::map<std::string, AffineFormat> formats;
    for (const auto& [weight, bits] : bits_)
      if (bits > 0) formats[weight] = {bits, options_.group_size};
    passes::quantize(module_, weights_, formats);
    report_.bytes_after = weight_bytes();
    for (const auto& [name, sums] : compare(run_graph(), before)) report_.outputs.push_back({name, sums.error()});
    report_.bits = is_mixed() ? "mixed" : std::to_string(static_cast<int>(options_.bits));
    report_.group_size = options_.group_size;
    if (is_mixed()) report_.target = options_.target;
    report_.calls = calls_of(example_);
    report_.measured_on = !example_.is_recorded        ? "random input"
                          : example_.reference.empty() ? "golden"
                                                       : "golden (" + example_.reference + ")";
    return std::move(report_);
  }

 private:
  bool is_mixed() const { return options_.bits == QuantizeOptions::Bits::mixed; }

  // Bits of every weight that can be quantised, before anything is measured.
  void apply_overrides() {
    const int start = is_mixed() ? 4 : static_cast<int>(options_.bits);
    for (const QuantizableWeight& w : weights_)
      if (w.obstacle.empty()) bits_[w.weight] = start;
    for (const QuantizeOptions::Override& o : options_.overrides) {
      bool matches = false;
      for (const QuantizableWeight& w : weights_) {
        if (fnmatch(o.pattern.c_str(), w.layer.c_str(), 0) != 0 && fnmatch(o.pattern.c_str(), w.weight.c_str(), 0) != 0)
          continue;
        matches = true;
        if (!w.obstacle.empty()) continue;
        bits_[w.weight] = o.bits;
        fixed_.insert(w.weight);
      }
      std::vector<std::string_view> names;
      for (const QuantizableWeight& w : weights_)
        if (names.size() < 20) names.push_back(w.layer);
      require<UsageError>(matches, "no layer matches {}; there are: {}{}", o.pattern, fmt::join(names, ", "),
                          weights_.size() > names.size() ? ", ..." : "");
    }
    std::string reasons;
    for (const QuantizableWeight& w : weights_)
      if (!w.obstacle.empty() && reasons.size() < 1000) reasons += fmt::format("\n  {}: {}", w.layer, w.obstacle);
    const bool any = std::any_of(bits_.begin(), bits_.end(), [](const auto& entry) { return entry.second > 0; });
    require<UsageError>(any, "no layer is left to quantise{}{}", reasons.empty() ? "" : ":", reasons);
  }

  uint64_t weight_bytes() const {
    uint64_t bytes = 0;
    for (const auto& [name, tensor] : module_.weights) bytes += tensor.nbytes();
    return bytes;
  }

  std::vector<HostValues> run_graph() const {
    const auto executor = executors::make_executor(options_.executor, module_, options_.graph);
    std::vector<HostValues> out;
    for (int64_t call = 0; call < calls_of(example_); ++call)
      out.push_back(executor->run(inputs_of(executor->graph(), example_, call)));
    return out;
  }

  static std::map<std::string, ErrorSums> compare(const std::vector<HostValues>& computed,
                                                  const std::vector<HostValues>& reference) {
    std::map<std::string, ErrorSums> sums;
    for (size_t call = 0; call < reference.size(); ++call)
      for (const auto& [name, value] : reference[call]) {
        const std::vector<Tensor>& items = computed[call].at(name).items;
        if (items.size() != value.items.size()) sums[name].add_mismatch();
        for (size_t i = 0; i < std::min(items.size(), value.items.size()); ++i)
          sums[name].add(array_of(items[i]), array_of(value.items[i]));
      }
    return sums;
  }

  // Output errors of the layers: what each node gives for the same float input with the weight rounded.
  void measure() {
    MlxExecutor executor(module_, options_.graph);
    executor.observe([&](const ir::Node& node, const MlxExecutor::Operands& operands, const auto& results) {
      auto reader = readers_.find(&node);
      if (reader == readers_.end()) return;
      const QuantizableWeight& w = *reader->second;
      auto bits = bits_.find(w.weight);
      if (bits != bits_.end() && bits->second > 0)
        measure_node(node, w, bits->second, operands, std::get<ops::array>(results.at(0)));
    });
    for (int64_t call = 0; call < calls_of(example_); ++call) executor.run(inputs_of(executor.graph(), example_, call));
  }

  void measure_node(const ir::Node& node, const QuantizableWeight& w, int bits, const MlxExecutor::Operands& operands,
                    const ops::array& expected) {
    const size_t place = passes::weight_operand(node);
    const ops::Datum rounded = array_of(rounded_weight(w, bits));
    MlxExecutor::Operands with_rounded = operands;
    with_rounded[place] = &rounded;
    const ops::Op& op = ops::get(node.op);
    const std::vector<ops::Datum> results = op.eval(op, {node, with_rounded, {}});
    node_errors_[&node].add(std::get<ops::array>(results.at(0)), expected);
  }

  Tensor rounded_weight(const QuantizableWeight& w, int bits) const {
    const Tensor& stored = module_.weights.at(w.weight);
    const AffineFormat format{bits, options_.group_size};
    const Tensor matrix =
        passes::dequantize_matrix(passes::quantize_matrix(passes::matrix_of(w, stored), format), format);
    return passes::stored_form(w, matrix, stored.shape);
  }

  // Of the nodes that read a weight the worst; unset where none was measured.
  std::optional<QuantizationError> output_error(const QuantizableWeight& w) const {
    std::optional<QuantizationError> worst;
    for (const ir::Node* node : w.nodes) {
      auto found = node_errors_.find(node);
      if (found == node_errors_.end()) continue;
      const QuantizationError e = found->second.error();
      if (!worst || e.rms > worst->rms) worst = e;
    }
    return worst;
  }

  // --- mixed --------------------------------------------------------------------------------------------------------

  // The largest error of an output with these bits: float arithmetic on rounded weights.
  double error_with(const std::map<std::string, int>& bits, const std::vector<HostValues>& before) {
    std::map<std::string, Tensor> kept;
    for (const QuantizableWeight& w : weights_) {
      auto given = bits.find(w.weight);
      if (given == bits.end() || given->second == 0) continue;
      const Tensor rounded = rounded_weight(w, given->second);
      kept[w.weight] = std::exchange(module_.weights.at(w.weight), rounded);
    }
    double worst = 0;
    for (const auto& [name, sums] : compare(run_graph(), before)) worst = std::max(worst, sums.error().rms);
    for (auto& [name, tensor] : kept) module_.weights.at(name) = std::move(tensor);
    return worst;
  }

  bool is_measured(const QuantizableWeight& w) const {
    const ir::Graph& graph = module_.graphs.at(options_.graph);
    return graph.weights.contains(w.weight);
  }

  // A weight that is free to choose, and the error that the outputs gain where it alone has 4 bits.
  struct Candidate {
    const QuantizableWeight* weight;
    double squared_error;  // errors of several layers add as squares do
    double size;
  };

  // The one that costs least for each byte that fewer bits save first.
  std::vector<Candidate> cheapest_first(const std::vector<HostValues>& before) {
    std::vector<Candidate> out;
    Progress progress("measure", weights_.size(), "layers");
    for (const QuantizableWeight& w : weights_) {
      progress.add(1);
      if (!w.obstacle.empty() || fixed_.contains(w.weight)) continue;
      if (!is_measured(w)) {
        bits_[w.weight] = 8;
        continue;
      }
      const double error = sensitivity_[w.weight] = error_with({{w.weight, 4}}, before);
      out.push_back({&w, error * error, static_cast<double>(w.rows * w.columns)});
    }
    std::stable_sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) {
      return a.squared_error / a.size < b.squared_error / b.size;
    });
    return out;
  }

  // Gives `fewer` bits to as much as fits a budget of squared error, `more` to the others. The budget is the largest,
  // found by bisection, with which the measured error stays within the target. False where none is.
  bool give_fewer_bits(const std::vector<Candidate>& candidates, int fewer, int more,
                       const std::vector<HostValues>& before) {
    double all = 0;
    for (const Candidate& c : candidates)
      if (std::isfinite(c.squared_error)) all += c.squared_error;
    auto set = [&](double budget) {
      for (const Candidate& c : candidates) {
        const bool fits = c.squared_error <= budget;
        if (fits) budget -= c.squared_error;
        bits_[c.weight->weight] = fits ? fewer : more;
      }
    };
    auto is_within_target = [&](double budget) {
      set(budget);
      return error_with(bits_, before) <= options_.target;
    };
    constexpr double slack = 1 + 1e-9;  // the sum is taken in another order
    if (is_within_target(all * slack)) return true;
    if (!is_within_target(-1)) return false;
    double low = all * 1e-4, high = all;
    for (int step = 0; step < 10; ++step) {
      const double middle = std::sqrt(low * high);
      (is_within_target(middle) ? low : high) = middle;
    }
    if (!is_within_target(low)) set(-1);
    return true;
  }

  void choose(const std::vector<HostValues>& before) {
    const std::vector<Candidate> candidates = cheapest_first(before);
    if (give_fewer_bits(candidates, 4, 8, before) || give_fewer_bits(candidates, 8, 0, before)) return;
    for (const Candidate& c : candidates) bits_[c.weight->weight] = 8;  // overrides alone are beyond the target
  }

  // --- the report ---------------------------------------------------------------------------------------------------

  std::string why(const QuantizableWeight& w) const {
    if (!w.obstacle.empty()) return w.obstacle;
    if (fixed_.contains(w.weight)) return "asked for";
    if (!is_mixed()) return "";
    auto error = sensitivity_.find(w.weight);
    if (error == sensitivity_.end()) return "not measured";
    return fmt::format("alone with 4 bits it costs the outputs {:.2g}", error->second);
  }

  void describe_layers() {
    for (const QuantizableWeight& w : weights_) {
      LayerQuantization layer;
      const Tensor& stored = module_.weights.at(w.weight);
      layer.name = w.layer;
      layer.weight = w.weight;
      for (const ir::Node* node : w.nodes)
        if (std::find(layer.ops.begin(), layer.ops.end(), node->op) == layer.ops.end()) layer.ops.push_back(node->op);
      layer.shape = {w.rows, w.columns};
      layer.bytes_before = layer.bytes_after = stored.nbytes();
      if (auto bits = bits_.find(w.weight); bits != bits_.end()) layer.bits = bits->second;
      layer.why = why(w);
      if (layer.bits > 0) {
        const auto groups = static_cast<uint64_t>(w.rows * w.columns / options_.group_size);
        layer.bytes_after =
            static_cast<uint64_t>(w.rows * w.columns * layer.bits / 8) + 2 * groups * item_size(stored.dtype);
        ErrorSums sums;
        sums.add(array_of(rounded_weight(w, layer.bits)), array_of(stored));
        layer.weight_error = sums.error();
        layer.output_error = output_error(w);
      }
      report_.layers.push_back(std::move(layer));
    }
  }

  ir::Module& module_;
  const Golden& example_;
  const QuantizeOptions& options_;
  std::vector<QuantizableWeight> weights_;
  std::map<const ir::Node*, const QuantizableWeight*> readers_;
  std::map<std::string, int> bits_;  // of the weights that can be quantised; 0: stays float
  std::set<std::string> fixed_;      // by an override
  std::map<const ir::Node*, ErrorSums> node_errors_;
  std::map<std::string, double> sensitivity_;  // in `mixed`: by weight, what it alone costs with 4 bits
  QuantizationReport report_;
};

}  // namespace

QuantizationReport quantize(ir::Module& module, const Golden& example, const QuantizeOptions& options) {
  return Quantization(module, example, options).run();
}

}  // namespace godwit::parity
