#include "executors/profile.h"

#include <gtest/gtest.h>

#include <thread>

#include "ops/builder.h"

namespace godwit::executors {
namespace {

// y = tanh(x W).
ir::Module network() {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  b.set_place("net.py:3");
  ir::Value* x = graph.add_input("x", {DType::f32, ir::Shape{4, 4}});
  ir::Value* y = b.op("matmul", {x, b.weight("w", Tensor::zeros(DType::f32, {4, 4}))});
  y->name = "product";
  graph.add_output("y", b.op("tanh", {y}));
  return module;
}

TEST(Profile, NamesEveryNodeAndCountsItsCalls) {
  const ir::Module module = network();
  const auto executor = make_executor("mlx", module);
  const Profile p = profile(*executor, {{"x", {{Tensor::zeros(DType::f32, {4, 4})}, false}}}, 3);
  EXPECT_EQ(p.runs, 3);
  ASSERT_EQ(p.nodes.size(), 2u);
  EXPECT_EQ(p.nodes[0].op, "matmul");
  EXPECT_EQ(p.nodes[0].name, "product");
  EXPECT_EQ(p.nodes[0].place, "net.py:3");
  EXPECT_EQ(p.nodes[0].result, "f32[4, 4]");
  EXPECT_EQ(p.nodes[0].calls, 3);
  EXPECT_EQ(p.last_run.size(), 2u);
  EXPECT_GT(p.plain_us, 0);
  double sum = 0;
  for (const NodeCost& n : p.nodes) sum += n.us;
  EXPECT_GT(p.nodes[1].us, 0);
  EXPECT_LE(sum / p.runs, p.run_us);
}

TEST(Profile, APlanNamesItsKernels) {
  const ir::Module module = network();
  const auto executor = make_executor("cpu", module);
  const Profile p = profile(*executor, {{"x", {{Tensor::zeros(DType::f32, {4, 4})}, false}}}, 2);
  ASSERT_FALSE(p.nodes.empty());
  EXPECT_EQ(p.nodes[0].executor, "cpu");
  EXPECT_FALSE(p.nodes[0].kernel.empty());
  EXPECT_EQ(p.nodes.back().result, "f32[4, 4]");
  EXPECT_EQ(p.nodes.back().calls, 2);
}

TEST(Profile, WhatPassedSinceTheLastNodeIsTheNodes) {
  ir::Module module = network();
  const ir::Node &first = *module.main().nodes.front(), &second = *module.main().nodes.back();
  ProfileRecorder recorder;
  for (int run = 0; run < 2; ++run) {
    recorder.begin_run();
    std::this_thread::sleep_for(std::chrono::milliseconds(4));
    recorder.node_done(first, "mlx", "f32[4, 4]");
    recorder.node_done(second, "cpu_plan", "f32[4, 4]");
    recorder.node_done(second, "cpu_plan", "f32[4, 4]");
    recorder.end_run();
  }
  const Profile p = recorder.take();
  EXPECT_GE(p.nodes.at(0).us, 8000);
  EXPECT_LT(p.nodes.at(1).us, p.nodes.at(0).us);
  EXPECT_EQ(p.nodes.at(1).calls, 4);

  const Json json = to_json(p);
  EXPECT_EQ(json["runs"], 2);
  EXPECT_EQ(json["ops"][0]["op"], "matmul");
  EXPECT_EQ(json["ops"][1]["calls"], 2);
  EXPECT_EQ(json["nodes"][1]["executor"], "cpu_plan");
  EXPECT_NEAR(json["ops"][0]["share"].get<double>() + json["ops"][1]["share"].get<double>(), 1, 1e-9);
  EXPECT_GE(json["nodes"][0]["ms"].get<double>(), 4);

  const Json trace = to_trace(p);
  ASSERT_EQ(trace["traceEvents"].size(), 3u);  // of the last run alone
  EXPECT_EQ(trace["traceEvents"][0]["ph"], "X");
  EXPECT_GE(trace["traceEvents"][1]["ts"].get<double>(), trace["traceEvents"][0]["dur"].get<double>());
  EXPECT_NE(to_text(p).find("matmul -> f32[4, 4]  product (net.py:3)"), std::string::npos) << to_text(p);
  EXPECT_EQ(to_text(p, 1).find("tanh -> "), std::string::npos);
}

}  // namespace
}  // namespace godwit::executors
