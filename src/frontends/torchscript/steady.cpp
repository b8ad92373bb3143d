#include "frontends/torchscript/steady.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "executors/mlx/executor.h"

namespace godwit::frontends::torchscript {
namespace {

constexpr int kMaxRounds = 6;

class Steady {
 public:
  Steady(std::shared_ptr<script::Archive> archive, const ImportOptions& options)
      : archive_(std::move(archive)), options_(options) {}

  Imported run() {
    for (int round = 0; round < kMaxRounds; ++round) {
      Round r = import_round(archive_, options_, plan_);
      if (r.is_blocked || !learn(r)) {
        if (!r.is_blocked && needs_check_) check_first_call(r.imported);
        return std::move(r.imported);
      }
    }
    raise<UsageError>("{}: the attributes that the module writes do not settle", archive_->name());
  }

 private:
  // Whether the plan changed.
  bool learn(const Round& round) {
    bool changed = false;
    for (const auto& [path, written] : round.written) {
      first_.try_emplace(path, written.before);
      changed |= written.after.is_tensor() ? learn_tensor(path, written) : learn_constant(path, written);
    }
    return changed;
  }
  bool learn_tensor(const std::string& path, const Written& written) {
    if (!written.type.shape) return false;
    auto known = plan_.states.find(path);
    if (known != plan_.states.end()) {
      const bool same = known->second.type.shape == written.type.shape;
      require<UsageError>(same, "attribute {} changes its shape from call to call: {} to {}", path,
                          str(known->second.type), str(written.type));
      return false;
    }
    Plan::State state{written.type, written.pickled, false};
    const bool fits = written.pickled && ir::dims(written.pickled->shape) == *written.type.shape;
    if (!fits) {
      require<UsageError>(!written.pickled || written.pickled->size() == 0,
                          "attribute {} changes its shape from {} to {}", path, describe(*written.pickled),
                          str(written.type));
      state.initial.reset();
      needs_check_ = true;
    } else {
      state.type.dtype = written.pickled->dtype;
    }
    plan_.states[path] = state;
    return true;
  }
  bool learn_constant(const std::string& path, const Written& written) {
    auto number = plan_.states.find(path);
    if (number != plan_.states.end()) return false;
    if (same_constant(written.before, written.after)) return false;
    const bool seen = plan_.constants.contains(path);
    const bool is_known = !written.after.is<aten::RunNumber>() && !is_symbolic(written.after);
    if (!seen && is_known) {
      plan_.constants[path] = written.after;
      needs_check_ = true;
      return true;
    }
    // It differs in every call: a number that is carried along.
    plan_.constants.erase(path);
    plan_.states[path] = number_state(path, first_.at(path));
    return true;
  }
  static bool is_symbolic(const Value& v) {
    auto* n = v.get<ir::Dim>();
    return n && !n->is_known();
  }
  Plan::State number_state(const std::string& path, const Value& first) const {
    Plan::State state{{DType::i64, ir::Shape{}, false}, std::nullopt, true};
    if (auto* n = first.get<ir::Dim>(); n && n->is_known()) {
      state.initial = Tensor::of<int64_t>(DType::i64, {}, {n->value()});
    } else if (auto* b = first.get<bool>()) {
      state.type.dtype = DType::boolean;
      state.initial = Tensor::scalar(DType::boolean, *b);
    } else if (auto* d = first.get<double>()) {
      state.type.dtype = DType::f32;
      state.initial = Tensor::scalar(DType::f32, *d);
    } else {
      raise<UsageError>("attribute {} ({}) changes from call to call in a way that is not supported", path,
                        describe(first));
    }
    return state;
  }

  // The first call of the program as the file starts it, against the first call of the steady translation.
  void check_first_call(Imported& steady) {
    Plan from_file;
    from_file.shows_states = true;
    const Round first = import_round(archive_, options_, from_file);
    const ir::Graph& graph = steady.module.main();
    std::map<std::string, executors::HostValue> inputs;
    std::mt19937 random(7);
    for (const ir::Value* input : graph.inputs) {
      if (!input->type.shape || !ir::is_known(input->shape())) {
        steady.warnings.push_back(
            "that the state starts as zeros was not checked: give every input a shape of numbers");
        return;
      }
      inputs[input->name] = {{random_tensor(*input, random)}, false};
    }
    if (!unsupported_ops(steady.module).empty()) return;
    executors::MlxExecutor a(first.imported.module), b(steady.module);
    const auto expected = a.run(inputs), found = b.run(inputs);
    for (const auto& [name, value] : expected) {
      Tensor other;
      if (auto it = found.find(name); it != found.end())
        other = it->second.items.at(0);
      else if (auto state = state_after(graph, b, name))
        other = *state;
      else
        continue;
      require<UsageError>(
          agree(value.items.at(0), other),
          "{}: the first call differs from later ones ({}): a state that starts empty is not the same as zeros",
          archive_->name(), name);
    }
  }
  static std::optional<Tensor> state_after(const ir::Graph& graph, const executors::MlxExecutor& executor,
                                           const std::string& name) {
    for (size_t i = 0; i < graph.states.size() && i < executor.states().size(); ++i)
      if (state_output_name(graph.states[i].name) == name)
        return executors::to_host(executor.states()[i], graph.states[i].before->dtype());
    return std::nullopt;
  }
  static Tensor random_tensor(const ir::Value& input, std::mt19937& random) {
    const auto shape = ir::values(input.shape());
    Tensor t = Tensor::zeros(DType::f32, shape);
    if (input.dtype() != DType::f32) return Tensor::zeros(input.dtype(), shape);
    std::normal_distribution<float> normal(0.0f, 0.3f);
    auto* data = reinterpret_cast<float*>(t.mutable_data());
    for (int64_t i = 0; i < t.size(); ++i) data[i] = normal(random);
    return t;
  }
  // Both come from the same executor and differ by no more than rounding.
  static bool agree(const Tensor& a, const Tensor& b) {
    if (a.shape != b.shape) return false;
    double scale = 0, worst = 0;
    for (int64_t i = 0; i < a.size(); ++i) {
      scale = std::max(scale, std::abs(a.number(i)));
      const double d = std::abs(a.number(i) - b.number(i));
      if (!(d <= 1e30)) return false;
      worst = std::max(worst, d);
    }
    return worst <= 1e-5 * std::max(scale, 1e-6);
  }

  std::shared_ptr<script::Archive> archive_;
  const ImportOptions& options_;
  Plan plan_;
  std::map<std::string, Value> first_;
  bool needs_check_ = false;
};

}  // namespace

Imported import_steady(const std::shared_ptr<script::Archive>& archive, const ImportOptions& options) {
  return Steady(archive, options).run();
}

}  // namespace godwit::frontends::torchscript
