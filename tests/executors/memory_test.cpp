// Requests that no memory can hold are refused by name, and the process goes on.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/memory.h"
#include "executors/executor.h"
#include "ir/text.h"

namespace godwit::test {
namespace {

class Limit {
 public:
  explicit Limit(const char* text) { setenv("GODWIT_MEMORY_LIMIT", text, 1); }
  ~Limit() { unsetenv("GODWIT_MEMORY_LIMIT"); }
};

struct Runner {
  explicit Runner(const std::string& text, const char* name = "cpu") {
    module.graphs.emplace("main", ir::parse_graph(text + "end\n"));
    executor = executors::make_executor(name, module);
  }
  // What it says against x of this shape; nothing where it runs.
  std::string refusal(std::vector<int64_t> shape) {
    try {
      executor->run({{"x", {{Tensor::zeros(DType::f32, std::move(shape))}, false}}});
    } catch (const UsageError& e) {
      return e.what();
    }
    return "";
  }
  ir::Module module;
  std::unique_ptr<executors::Executor> executor;
};

void expect_named(const std::string& message, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
}

constexpr const char* outer = R"(graph main(x: f32[B]) -> (y = %3)
  %1 = expand_dims %x axes=[1]  : f32[B, 1]
  %2 = add %1, %x  : f32[B, B]
  %3 = max %2 axes=[0, 1]  : f32[]
)";

TEST(Memory, LimitsAreSizes) {
  auto limit = [](const char* text) {
    const Limit set(text);
    return memory_limit_bytes();
  };
  EXPECT_EQ(limit("123"), 123u);
  EXPECT_EQ(limit("3K"), 3072u);
  EXPECT_EQ(limit("2G"), size_t{2} << 30);
  for (const char* text : {"G", "-1", "1.5G", "12 M", "1MB", "99999999999999999999", "9999999999T"})
    EXPECT_THROW(limit(text), UsageError) << text;
  EXPECT_GT(memory_limit_bytes(), size_t{1} << 20);
}

TEST(Memory, OneResultIsRefusedByName) {
  Runner r(outer);
  {
    const Limit set("1M");
    expect_named(r.refusal({1000}), {"[add", "f32[1000, 1000]", "4000000 bytes", "limit is 1048576"});
    EXPECT_EQ(r.refusal({100}), "");
  }
  EXPECT_EQ(r.refusal({1000}), "");
}

TEST(Memory, WhatTheMachineLacksIsRefused) {
  Runner r(outer);
  expect_named(r.refusal({4000000}), {"[add", "f32[4000000, 4000000]", "64000000000000 bytes", "limit is"});
  EXPECT_EQ(r.refusal({3}), "");
}

TEST(Memory, SizesBeyondAllNumbersAreRefused) {
  Runner r(R"(graph main(x: f32[B]) -> (y = %2)
  %1 = broadcast %x shape=[B*B*B, B*B*B, B]  : f32[B*B*B, B*B*B, B]
  %2 = exp %1  : f32[B*B*B, B*B*B, B]
)");
  expect_named(r.refusal({5000}), {"[exp", "more than 2^64 bytes"});
  EXPECT_EQ(r.refusal({2}), "");
}

TEST(Memory, AllResultsTogetherAreRefused) {
  Runner r(R"(graph main(x: f32[B, 64]) -> (y = %5)
  %1 = cumsum %x axis=0  : f32[B, 64]
  %2 = cumsum %1 axis=0  : f32[B, 64]
  %3 = cumsum %2 axis=0  : f32[B, 64]
  %4 = add %1, %2  : f32[B, 64]
  %5 = add %4, %3  : f32[B, 64]
)");
  const Limit set("600K");
  expect_named(r.refusal({1024, 64}), {"with inputs x f32[1024, 64]", "limit is 614400"});
  EXPECT_EQ(r.refusal({256, 64}), "");
}

TEST(Memory, MlxRefusesToo) {
  Runner r(outer, "mlx");
  const Limit set("100M");
  expect_named(r.refusal({10000}), {"[add", "f32[10000, 10000]", "400000000 bytes", "limit is 104857600"});
  EXPECT_EQ(r.refusal({100}), "");
}

}  // namespace
}  // namespace godwit::test
