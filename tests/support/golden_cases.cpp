#include "support/golden_cases.h"

#include <mlx/mlx.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "executors/cpu_plan/executor.h"
#include "ir/text.h"
#include "kernels/half.h"
#include "ops/builder.h"
#include "ops/dtype.h"
#include "ops/infer.h"
#include "ops/op.h"

namespace godwit::test {

namespace mx = mlx::core;

namespace {

DType type_of(const mx::array& x) {
  for (DType t : {DType::boolean, DType::u8, DType::i8, DType::u16, DType::i16, DType::u32, DType::i32, DType::u64,
                  DType::i64, DType::f16, DType::bf16, DType::f32, DType::f64, DType::c64})
    if (ops::mlx_dtype(t) == x.dtype()) return t;
  throw InternalError("a golden has a type without a name");
}

DType declared(const nlohmann::json& types, size_t i, const mx::array& x) {
  auto found = types.find(std::to_string(i));
  return found == types.end() ? type_of(x) : *parse_dtype(found->get<std::string>());
}

// float64 is stored as the bits of int64.
mx::array stored(const mx::array& x, DType type) {
  return type == DType::f64 ? mx::view(x, mx::float64, mx::Device::cpu) : x;
}

}  // namespace

std::vector<GoldenCase> load_cases(const std::string& path) {
  auto [tensors, metadata] = mx::load_safetensors(path, mx::Device::cpu);
  std::vector<GoldenCase> cases;
  for (const nlohmann::json& entry : nlohmann::json::parse(metadata.at("cases"))) {
    GoldenCase c;
    c.name = entry.at("name");
    c.op = entry.at("op");
    c.tolerance = entry.at("tolerance");
    c.symbolic = entry.value("symbolic", true);
    for (const auto& [key, value] : entry.at("attrs").items()) {
      ir::Attr attr = ir::parse_attr(value.get<std::string>());
      c.attrs.emplace(key, attr);
    }
    for (size_t i = 0; i < entry.at("inputs"); ++i) {
      auto found = tensors.find(c.name + ".in" + std::to_string(i));
      const bool given = found != tensors.end();
      c.input_types.push_back(given ? declared(entry.at("types"), i, found->second) : DType::f32);
      c.inputs.push_back(given ? std::optional(stored(found->second, c.input_types.back())) : std::nullopt);
    }
    for (size_t i = 0; i < entry.at("outputs"); ++i) {
      const mx::array& output = tensors.at(c.name + ".out" + std::to_string(i));
      c.output_types.push_back(declared(entry.at("out_types"), i, output));
      c.outputs.push_back(stored(output, c.output_types.back()));
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

namespace {

// A graph of the one node; symbols name the axes of operand 0 where asked for.
ir::Node& build(const GoldenCase& golden, ir::Module& module, bool symbolic, ir::Dim::Env& env) {
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  std::vector<ir::Value*> inputs;
  for (size_t i = 0; i < golden.inputs.size(); ++i) {
    if (!golden.inputs[i]) {
      inputs.push_back(nullptr);
      continue;
    }
    ir::Shape shape;
    for (int d : golden.inputs[i]->shape()) {
      std::string symbol = "axis" + std::to_string(shape.size());
      if (i == 0 && symbolic) env[symbol] = d;
      shape.push_back(i == 0 && symbolic ? ir::Dim::symbol(symbol) : ir::Dim(d));
    }
    inputs.push_back(graph.add_input("x" + std::to_string(i), {golden.input_types[i], shape}));
  }
  b.ops(golden.op, inputs, golden.attrs);
  return *graph.nodes.back();
}

std::string type_difference(const ir::Node& node, const std::vector<ops::Datum>& results, const ir::Dim::Env& env) {
  if (node.outputs.size() != results.size())
    return fmt::format("{} outputs inferred, {} computed", node.outputs.size(), results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    const mx::array& y = std::get<mx::array>(results[i]);
    const ir::Value& v = *node.outputs[i];
    bool same = ops::mlx_dtype(v.dtype()) == y.dtype() && v.shape().size() == y.ndim();
    for (size_t k = 0; same && k < y.ndim(); ++k) {
      std::optional<int64_t> size = v.shape()[k].try_eval(env);  // unset: only the run can tell
      same = !size || *size == y.shape(static_cast<int>(k));
    }
    if (!same)
      return fmt::format("output {} was inferred as {}, is [{}] of item size {}", i, ir::str(v.type),
                         fmt::join(y.shape(), ", "), y.itemsize());
  }
  return "";
}

// Largest difference as a part of the largest finite expected magnitude; infinity where NaN or infinity differ.
double difference(const mx::array& given, const mx::array& expected) {
  auto wide = [](const mx::array& x) {
    mx::array y = mx::issubdtype(x.dtype(), mx::complexfloating) ? mx::stack({mx::real(x), mx::imag(x)}) : x;
    y = mx::contiguous(mx::astype(y, mx::float64, mx::Device::cpu), false, mx::Device::cpu);
    y.eval();
    return std::vector<double>(y.data<double>(), y.data<double>() + y.size());
  };
  const std::vector<double> a = wide(given), b = wide(expected);
  double scale = 0, worst = 0;
  for (double v : b)
    if (std::isfinite(v)) scale = std::max(scale, std::abs(v));
  for (size_t i = 0; i < b.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (a[i] == b[i]) continue;
    const double d = std::abs(a[i] - b[i]);
    worst = std::max(worst, std::isfinite(d) ? d : HUGE_VAL);
  }
  return worst == 0 ? 0 : worst / std::max(scale, 1e-30);
}

}  // namespace

namespace {

// What the plan may be off by beside the tolerance, as a part of the scale: for products of quantised weights it rounds
// the activations, and |w| amax / 254 is allowed for each (kernels/quantized.h).
double rounding_of_plan(const GoldenCase& golden) {
  const mx::array& x = *golden.inputs[0];
  if (golden.op != "quantized_linear" || x.dtype() == mx::float64 || golden.outputs[0].size() == 0 || x.size() == 0)
    return 0;
  auto wide = [](const mx::array& a) { return mx::astype(a, mx::float32); };
  auto number = [&](const char* name) { return static_cast<int>(std::get<ir::Dim>(golden.attrs.at(name)).value()); };
  const int group = number("group_size"), groups = x.shape(-1) / group;
  const mx::array w =
      wide(mx::dequantize(*golden.inputs[1], *golden.inputs[2], *golden.inputs[3], group, number("bits")));
  const mx::array sizes = mx::sum(mx::abs(mx::reshape(w, {-1, groups, group})), 2);
  const mx::array largest = mx::max(mx::abs(mx::reshape(wide(x), {-1, groups, group})), 2);
  mx::array bound = mx::max(mx::matmul(largest, mx::transpose(sizes)));
  return bound.item<float>() / 254 / mx::max(mx::abs(wide(golden.outputs[0]))).item<float>();
}

struct PlanRun {
  std::vector<Tensor> outputs;
  std::vector<std::string> fallbacks;
};

// The row through the CPU plan, with operands after the first as constants: kernels of ours where there are any.
PlanRun run_plan(const GoldenCase& golden, const std::function<Tensor(const Tensor&)>& as) {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  std::vector<ir::Value*> inputs;
  executors::HostValues given;
  for (size_t i = 0; i < golden.inputs.size(); ++i) {
    if (!golden.inputs[i]) {
      inputs.push_back(nullptr);
      continue;
    }
    const Tensor host = as(executors::to_host(*golden.inputs[i], golden.input_types[i]));
    const std::string name = "x" + std::to_string(i);
    if (i > 0) {
      inputs.push_back(b.weight(name, host));
      continue;
    }
    inputs.push_back(graph.add_input(name, {host.dtype, ir::dims(host.shape)}));
    given[name] = {{host}, false};
  }
  const std::vector<ir::Value*> results = b.ops(golden.op, inputs, golden.attrs);
  for (size_t i = 0; i < results.size(); ++i) graph.add_output("y" + std::to_string(i), results[i]);
  executors::CpuExecutor plan(module);
  const executors::HostValues found = plan.run(given);
  PlanRun run{{}, plan.fallbacks()};
  for (size_t i = 0; i < results.size(); ++i) run.outputs.push_back(found.at("y" + std::to_string(i)).items.at(0));
  return run;
}

std::string plan_failure(const GoldenCase& golden) {
  const PlanRun found = run_plan(golden, [](const Tensor& t) { return t; });
  for (size_t i = 0; i < golden.outputs.size(); ++i) {
    const mx::array y = executors::to_mlx(found.outputs.at(i));
    if (y.shape() != golden.outputs[i].shape()) return fmt::format("plan: output {} has another shape", i);
    const double d = difference(y, golden.outputs[i]);
    if (!(d <= golden.tolerance + rounding_of_plan(golden)))
      return fmt::format("plan: output {} is off by {:.3g} of its scale", i, d);
  }
  return "";
}

}  // namespace

std::string check_case(const GoldenCase& golden) {
  const ops::Op& op = ops::get(golden.op);
  std::vector<ops::Datum> data;
  std::vector<const ops::Datum*> inputs;
  data.reserve(golden.inputs.size());
  for (const auto& x : golden.inputs) {
    if (x) data.emplace_back(*x);
    inputs.push_back(x ? &data.back() : nullptr);
  }
  std::vector<ops::Datum> results;
  // float64 exists on the CPU only.
  std::optional<mx::StreamContext> on_cpu;
  auto any_double = [](const std::vector<DType>& types) {
    return std::find(types.begin(), types.end(), DType::f64) != types.end();
  };
  if (any_double(golden.input_types) || any_double(golden.output_types)) on_cpu.emplace(mx::Device::cpu);
  for (bool symbolic : {false, true}) {
    if (symbolic && !golden.symbolic) continue;
    ir::Module module;
    ir::Dim::Env env;
    ir::Node& node = build(golden, module, symbolic, env);
    if (!symbolic) results = op.eval(op, ops::Call{node, inputs, env});
    std::string wrong = type_difference(node, results, env);
    if (!wrong.empty()) return wrong;
    for (size_t i = 0; i < golden.outputs.size(); ++i)
      if (node.outputs.at(i)->dtype() != golden.output_types[i]) return "the dtype is not the reference's";
  }
  for (size_t i = 0; i < golden.outputs.size(); ++i) {
    const mx::array& y = std::get<mx::array>(results.at(i));
    if (y.shape() != golden.outputs[i].shape())
      return fmt::format("output {} is [{}], the reference [{}]", i, fmt::join(y.shape(), ", "),
                         fmt::join(golden.outputs[i].shape(), ", "));
    const double d = difference(y, golden.outputs[i]);
    if (!(d <= golden.tolerance))
      return fmt::format("output {} differs by {:.3g} of its scale, {:.3g} is allowed", i, d, golden.tolerance);
  }
  const bool has_sequences = !results.empty() && !std::holds_alternative<mx::array>(results[0]);
  return has_sequences ? "" : plan_failure(golden);
}

std::vector<std::string> failures(const std::string& path) {
  std::vector<std::string> out;
  std::vector<GoldenCase> cases = load_cases(path);
  if (cases.empty()) return {path + " has no cases"};
  for (const GoldenCase& golden : cases) {
    std::string wrong;
    try {
      wrong = check_case(golden);
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    if (wrong.empty()) continue;
    std::string line = golden.name;
    for (const auto& [key, value] : golden.attrs) line += " " + key + "=" + ir::str(value);
    out.push_back(line + ": " + wrong);
  }
  return out;
}

namespace {

// float32 to a half type, or rounded to it.
Tensor halved(const Tensor& t, DType half, bool stays_wide) {
  if (t.dtype != DType::f32) return t;
  const Tensor from = t.contiguous();
  Tensor narrow = Tensor::zeros(half, from.shape), wide = Tensor::zeros(DType::f32, from.shape);
  kernels::narrow(half, reinterpret_cast<const float*>(from.data), from.size(), narrow.mutable_data());
  kernels::widen(half, narrow.data, from.size(), reinterpret_cast<float*>(wide.mutable_data()));
  return stays_wide ? wide : narrow;
}

std::string half_failure(const GoldenCase& golden, DType half) {
  if (golden.op == "grid_sample") return "";  // its places are rounded to half types in the original: MLX's row does it
  const PlanRun wide = run_plan(golden, [half](const Tensor& t) { return halved(t, half, true); });
  if (!wide.fallbacks.empty()) return "";
  PlanRun narrow;
  try {
    narrow = run_plan(golden, [half](const Tensor& t) { return halved(t, half, false); });
  } catch (const UsageError&) {
    return "";  // an attribute names float32
  }
  if (!narrow.fallbacks.empty()) return fmt::format("falls back in {}", name(half));
  for (size_t i = 0; i < wide.outputs.size(); ++i) {
    const double d =
        difference(executors::to_mlx(narrow.outputs[i]), executors::to_mlx(halved(wide.outputs[i], half, true)));
    const double allowed = half == DType::f16 ? 0x1p-10 : 0x1p-7;
    if (!(d <= allowed)) return fmt::format("output {} in {} is off by {:.3g} of its scale", i, name(half), d);
  }
  return "";
}

}  // namespace

std::vector<std::string> half_failures(const std::string& path) {
  std::vector<std::string> out;
  for (const GoldenCase& golden : load_cases(path)) {
    const bool is_float =
        std::find(golden.input_types.begin(), golden.input_types.end(), DType::f32) != golden.input_types.end();
    for (DType half : {DType::f16, DType::bf16})
      if (const std::string wrong = is_float ? half_failure(golden, half) : ""; !wrong.empty())
        out.push_back(golden.name + ": " + wrong);
  }
  return out;
}

}  // namespace godwit::test
