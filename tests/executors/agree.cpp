#include "executors/agree.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "executors/cpu_plan/executor.h"
#include "executors/mlx/executor.h"
#include "ir/text.h"

namespace godwit::test {
namespace {

void set(Tensor& t, int64_t i, float x) {
  if (t.dtype == DType::f32) reinterpret_cast<float*>(t.mutable_data())[i] = x;
  if (t.dtype == DType::f16) reinterpret_cast<uint16_t*>(t.mutable_data())[i] = float_to_half(x);
  if (t.dtype == DType::bf16) reinterpret_cast<uint16_t*>(t.mutable_data())[i] = float_to_bfloat(x);
}

Tensor random_tensor(const ir::Type& type, const ir::Dim::Env& sizes, std::mt19937& random) {
  std::vector<int64_t> shape;
  for (const ir::Dim& d : *type.shape) shape.push_back(d.eval(sizes));
  Tensor t = Tensor::zeros(type.dtype, shape);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < t.size(); ++i) {
    switch (type.dtype) {
      case DType::f32:
      case DType::f16:
      case DType::bf16: set(t, i, normal(random)); break;
      case DType::i64: reinterpret_cast<int64_t*>(t.mutable_data())[i] = static_cast<int64_t>(random() % 3); break;
      case DType::i32: reinterpret_cast<int32_t*>(t.mutable_data())[i] = static_cast<int32_t>(random() % 3); break;
      case DType::boolean: reinterpret_cast<uint8_t*>(t.mutable_data())[i] = random() % 2; break;
      default: ADD_FAILURE() << "no random " << name(type.dtype);
    }
  }
  return t;
}

void compare(const std::string& output, const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(describe(a), describe(b)) << output;
  double scale = 1e-3, worst = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = a.number(i), y = b.number(i);
    if ((std::isnan(x) && std::isnan(y)) || x == y) continue;
    if (std::isfinite(x)) scale = std::max(scale, std::fabs(x));
    const double error = std::isfinite(x) && std::isfinite(y) ? std::fabs(x - y) : INFINITY;
    if (error > worst) worst = error, at = i;
  }
  EXPECT_LE(worst / scale, tolerance) << output << " at " << at << ": MLX " << (a.size() ? a.number(at) : 0)
                                      << ", plan " << (b.size() ? b.number(at) : 0);
}

std::string in_type(std::string text, DType type) {
  for (size_t at; (at = text.find("f32")) != std::string::npos;) text.replace(at, 3, name(type));
  return text;
}

// The same numbers in another floating-point type.
Tensor as_type_of(DType type, const Tensor& t) {
  if (t.dtype == type) return t;
  Tensor out = Tensor::zeros(type, t.shape);
  for (int64_t i = 0; i < t.size(); ++i) set(out, i, static_cast<float>(t.number(i)));
  return out;
}

}  // namespace

Agreement expect_agreement(const std::string& text, const ir::Dim::Env& sizes, double tolerance, int calls) {
  SCOPED_TRACE(text);
  ir::Module module;
  module.graphs.emplace("main", ir::parse_graph(text + "end\n"));
  std::mt19937 random(7);
  for (const auto& [name, value] : module.main().weights)
    module.weights[name] = random_tensor(value->type, sizes, random);
  executors::MlxExecutor mlx(module);
  executors::CpuExecutor plan(module);
  for (int call = 0; call < calls; ++call) {
    executors::HostValues inputs;
    for (const ir::Value* v : module.main().inputs) inputs[v->name] = {{random_tensor(v->type, sizes, random)}, false};
    const executors::HostValues expected = mlx.run(inputs), found = plan.run(inputs);
    EXPECT_EQ(expected.size(), found.size());
    for (const auto& [name, value] : expected) compare(name, value.items.at(0), found.at(name).items.at(0), tolerance);
  }
  return {plan.fallbacks()};
}

void expect_half_kernels(const std::string& text, DType half, const ir::Dim::Env& sizes, int roundings,
                         const std::vector<float>& among) {
  const std::string in_half = in_type(text, half);
  SCOPED_TRACE(in_half);
  ir::Module narrow, wide;
  narrow.graphs.emplace("main", ir::parse_graph(in_half + "end\n"));
  wide.graphs.emplace("main", ir::parse_graph(text + "end\n"));
  std::mt19937 random(7);
  executors::HostValues inputs, wide_inputs;
  for (const auto& [name, value] : narrow.main().weights) {
    narrow.weights[name] = random_tensor(value->type, sizes, random);
    wide.weights[name] = as_type_of(wide.main().weights.at(name)->dtype(), narrow.weights[name]);
  }
  for (size_t i = 0; i < narrow.main().inputs.size(); ++i) {
    const ir::Value *v = narrow.main().inputs[i], *w = wide.main().inputs[i];
    Tensor t = random_tensor(v->type, sizes, random);
    for (int64_t k = 0; t.dtype == half && !among.empty() && k < t.size(); k += 29)
      set(t, k, among[static_cast<size_t>(k) % among.size()]);
    inputs[v->name] = {{t}, false}, wide_inputs[w->name] = {{as_type_of(w->dtype(), t)}, false};
  }
  executors::MlxExecutor mlx(narrow), exact(wide);
  executors::CpuExecutor plan(narrow);
  const executors::HostValues found = plan.run(inputs), as_mlx = mlx.run(inputs), as_float = exact.run(wide_inputs);
  const double epsilon = half == DType::f16 ? 0x1p-10 : 0x1p-7;
  for (const auto& [name, value] : found) {
    const Tensor& y = value.items.at(0);
    compare(name, as_mlx.at(name).items.at(0), y, roundings * epsilon);
    compare(name, as_type_of(y.dtype, as_float.at(name).items.at(0)), y, epsilon);
  }
  EXPECT_TRUE(plan.fallbacks().empty()) << "fell back: " << plan.fallbacks()[0];
}

void expect_kernels(const std::string& text, const ir::Dim::Env& sizes, double tolerance, int half_roundings) {
  const Agreement a = expect_agreement(text, sizes, tolerance);
  EXPECT_TRUE(a.fallbacks.empty()) << text << "\nfell back: " << (a.fallbacks.empty() ? "" : a.fallbacks[0]);
  for (DType half : {DType::f16, DType::bf16}) expect_half_kernels(text, half, sizes, half_roundings);
}

}  // namespace godwit::test
