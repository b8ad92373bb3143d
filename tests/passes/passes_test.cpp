// Each pass on a small graph written as text: the ops before and after, and the same numbers from both.
#include "passes/pass.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "executors/mlx/executor.h"
#include "ir/text.h"
#include "ops/builder.h"
#include "ops/infer.h"

namespace godwit {
namespace {

using executors::HostValue;

Tensor random_tensor(const std::vector<int64_t>& shape, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Tensor t = Tensor::zeros(DType::f32, shape);
  for (int64_t i = 0; i < t.size(); ++i) reinterpret_cast<float*>(t.mutable_data())[i] = normal(generator);
  return t;
}

struct Case {
  ir::Module module;

  explicit Case(const std::string& text) {
    ir::Graph graph = ir::parse_graph(text);
    uint32_t seed = 100;
    for (const auto& [name, value] : graph.weights) {
      Tensor t = random_tensor(ir::values(value->shape()), ++seed);
      if (name.find("variance") != std::string::npos)
        for (float& v : std::span(reinterpret_cast<float*>(t.mutable_data()), static_cast<size_t>(t.size())))
          v = std::abs(v) + 0.5f;
      module.weights[name] = t;
    }
    // Contents are not part of the text: inference sets them again.
    ir::for_each_node(graph, [](ir::Node& node, ir::Graph& owner) {
      if (node.regions.empty()) ops::infer_node(owner, node);
    });
    module.graphs.emplace("main", std::move(graph));
  }

  std::string op_list() const {
    std::string out;
    ir::for_each_node(module.main(), [&](const ir::Node& n, const ir::Graph&) {
      if (n.op != "constant") out += (out.empty() ? "" : " ") + n.op;
    });
    return out;
  }

  std::map<std::string, HostValue> run() const {
    executors::MlxExecutor executor(module);
    std::map<std::string, HostValue> inputs;
    uint32_t seed = 0;
    for (const ir::Value* v : module.main().inputs) {
      std::vector<int64_t> shape;
      for (const ir::Dim& d : v->shape()) shape.push_back(d.is_known() ? d.value() : 3);
      inputs[v->name] = {{random_tensor(shape, ++seed)}, false};
    }
    return executor.run(inputs);
  }
};

void expect_close(const std::map<std::string, HostValue>& a, const std::map<std::string, HostValue>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, value] : a) {
    const Tensor &x = value.items.at(0), &y = b.at(name).items.at(0);
    ASSERT_EQ(x.shape, y.shape) << name;
    double scale = 1e-6;
    for (int64_t i = 0; i < x.size(); ++i) scale = std::max(scale, std::abs(x.number(i)));
    for (int64_t i = 0; i < x.size(); ++i)
      ASSERT_NEAR(x.number(i), y.number(i), 1e-5 * scale) << name << " element " << i;
  }
}

// Runs one pass and the clean-up, and compares ops and numbers.
void check(const std::string& text, bool (*pass)(ir::Module&, ir::Graph&), const std::string& after) {
  Case before(text), graph(text);
  pass(graph.module, graph.module.main());
  passes::remove_dead_code(graph.module, graph.module.main());
  EXPECT_EQ(graph.op_list(), after);
  expect_close(before.run(), graph.run());
}

TEST(Passes, DeadCodeGoes) {
  check(R"(graph main(x: f32[2, 3]) -> (y = %1)
  %1 = exp %x  : f32[2, 3]
  %2 = log %x  : f32[2, 3]
  %3 = sin %2  : f32[2, 3]
end
)",
        passes::remove_dead_code, "exp");
}

TEST(Passes, EqualNodesMerge) {
  check(R"(graph main(x: f32[2, 3]) -> (y = %3)
  %1 = exp %x  : f32[2, 3]
  %2 = exp %x  : f32[2, 3]
  %3 = add %1, %2  : f32[2, 3]
end
)",
        passes::merge_common_subexpressions, "exp add");
}

TEST(Passes, ConstantsFold) {
  check(R"(graph main(x: f32[2, 3]) -> (y = %3)
  weight @w: f32[3]
  %1 = exp @w  : f32[3]
  %2 = sin %1  : f32[3]
  %3 = add %x, %2  : f32[2, 3]
end
)",
        passes::fold_constants, "add");
}

TEST(Passes, ShapeArithmeticFolds) {
  check(R"(graph main(x: f32[B, 4, 6]) -> (y = %5)
  %1 = shape %x  : i64[3]
  %2 = constant value=i64[1]{0}  : i64[1]
  %3 = take %1, %2 axis=0  : i64[1]
  %4 = constant value=i64[1]{24}  : i64[1]
  %6 = multiply %3, %4  : i64[1]
  %7 = cast %6 from=i64 to=f32  : f32[1]
  %5 = multiply %x, %7  : f32[B, 4, 6]
end
)",
        passes::fold_shapes, "dims cast multiply");
}

TEST(Passes, AReadNumberStaysComputedWhereItIsRead) {
  ir::Module module;
  ir::Graph& graph = module.graphs["main"];
  ops::Builder b(module, graph);
  ir::Value* x = graph.add_input("x", {DType::i64, ir::Shape{5}});
  const ir::Dim n = b.read_one(b.op("max", {x}, {{"axes", ir::Dims{0}}}));
  graph.add_output("y", b.op("arange", {}, {{"start", 0}, {"count", n + 1}, {"dtype", DType::i64}}));
  passes::fold_shapes(module, graph);
  executors::MlxExecutor executor(module);
  auto out = executor.run({{"x", {{Tensor::of<int64_t>(DType::i64, {5}, {2, 6, 1, 0, 3})}, false}}});
  EXPECT_EQ(out.at("y").items.at(0).shape, (std::vector<int64_t>{7}));
}

TEST(Passes, KnownConditionIsResolved) {
  check(R"(graph main(x: f32[2]) -> (y = %2)
  %1 = constant value=bool[]{1}  : bool[]
  %2 = if %1  : f32[2] {
    %3 = exp %x  : f32[2]
    yield %3
  } {
    yield %x
  }
end
)",
        passes::resolve_conditions, "exp");
}

TEST(Passes, IdentitiesGo) {
  check(R"(graph main(x: f32[2, 3]) -> (y = %6)
  %1 = constant value=f32[]{0}  : f32[]
  %2 = add %x, %1  : f32[2, 3]
  %3 = reshape %2 shape=[2, 3]  : f32[2, 3]
  %4 = transpose %3 axes=[0, 1]  : f32[2, 3]
  %5 = cast %4 from=f32 to=f32  : f32[2, 3]
  %6 = exp %5  : f32[2, 3]
end
)",
        passes::remove_identities, "exp");
}

TEST(Passes, SizeOneAxesThatComeAndGoLeaveNothing) {
  check(R"(graph main(x: f32[B, 4]) -> (y = %9, z = %13, b = %21)
  %1 = expand_dims %x axes=[0]  : f32[1, B, 4]
  %2 = reshape %1 shape=[B, 1, 4]  : f32[B, 1, 4]
  %3 = squeeze %2 axes=[1]  : f32[B, 4]
  %9 = exp %3  : f32[B, 4]
  %10 = expand_dims %x axes=[1]  : f32[B, 1, 4]
  %11 = expand_dims %10 axes=[0, 4]  : f32[1, B, 1, 4, 1]
  %12 = squeeze %11 axes=[0]  : f32[B, 1, 4, 1]
  %14 = squeeze %12 axes=[-1]  : f32[B, 1, 4]
  %13 = sin %11  : f32[1, B, 1, 4, 1]
  %19 = less %x, %9  : bool[B, 4]
  %20 = constant value=bool[]{1}  : bool[]
  %21 = logical_and %20, %19  : bool[B, 4]
end
)",
        passes::remove_identities, "exp expand_dims sin less");
}

TEST(Passes, SquaresAreWrittenAsSuch) {
  check(R"(graph main(x: f32[2, 3]) -> (y = %2, z = %3)
  %1 = constant value=f32[]{2}  : f32[]
  %2 = power %x, %1  : f32[2, 3]
  %3 = multiply %x, %x  : f32[2, 3]
end
)",
        passes::remove_identities, "square square");
}

TEST(Passes, AReshapeThatTellsNothingNewIsDead) {
  check(R"(graph main(x: f32[B, 4]) -> (y = %2)
  %1 = reshape %x shape=[B, 2, 2]  : f32[B, 2, 2]
  %2 = reshape %x shape=[4, B]  : f32[4, B]
end
)",
        passes::remove_dead_code, "reshape");
}

TEST(Passes, TransposesCancelAcrossElementwiseOps) {
  check(R"(graph main(x: f32[2, 3, 4], y: f32[2, 3, 4]) -> (z = %6)
  %1 = transpose %x axes=[0, 2, 1]  : f32[2, 4, 3]
  %2 = transpose %y axes=[0, 2, 1]  : f32[2, 4, 3]
  %3 = relu %1  : f32[2, 4, 3]
  %4 = add %3, %2  : f32[2, 4, 3]
  %5 = transpose %4 axes=[0, 2, 1]  : f32[2, 3, 4]
  %6 = exp %5  : f32[2, 3, 4]
end
)",
        passes::cancel_transposes, "relu add exp");
}

TEST(Passes, MatmulAndBiasBecomeLinear) {
  check(R"(graph main(x: f32[B, 5, 4]) -> (y = %2)
  weight @b: f32[6]
  weight @w: f32[4, 6]
  %1 = matmul %x, @w  : f32[B, 5, 6]
  %2 = add @b, %1  : f32[B, 5, 6]
end
)",
        passes::fuse_linear, "linear");
}

TEST(Passes, BatchNormMovesIntoConvolution) {
  check(R"(graph main(x: f32[2, 3, 8]) -> (y = %2)
  weight @beta: f32[4]
  weight @gamma: f32[4]
  weight @mean: f32[4]
  weight @variance: f32[4]
  weight @w: f32[4, 3, 3]
  %1 = conv %x, @w stride=[1] low=[1] high=[1] dilation=[1] groups=1  : f32[2, 4, 8]
  %2 = batch_norm %1, @gamma, @beta, @mean, @variance eps=1e-05  : f32[2, 4, 8]
end
)",
        passes::fold_batch_norm, "conv");
}

TEST(Passes, BatchNormMovesIntoGroupedTransposedConvolution) {
  check(R"(graph main(x: f32[2, 4, 8]) -> (y = %2)
  weight @beta: f32[6]
  weight @bias: f32[6]
  weight @gamma: f32[6]
  weight @mean: f32[6]
  weight @variance: f32[6]
  weight @w: f32[4, 3, 3]
  %1 = conv_transpose %x, @w, @bias stride=[2] low=[0] high=[0] output_padding=[0] dilation=[1] groups=2  : f32[2, 6, 17]
  %2 = batch_norm %1, @gamma, @beta, @mean, @variance eps=1e-05  : f32[2, 6, 17]
end
)",
        passes::fold_batch_norm, "conv_transpose");
}

TEST(Passes, LayerNormWrittenOutIsFused) {
  check(R"(graph main(x: f32[B, 5, 8]) -> (y = %12)
  weight @b: f32[8]
  weight @w: f32[8]
  %1 = mean %x axes=[-1] keepdims=true  : f32[B, 5, 1]
  %2 = subtract %x, %1  : f32[B, 5, 8]
  %4 = square %2  : f32[B, 5, 8]
  %5 = mean %4 axes=[-1] keepdims=true  : f32[B, 5, 1]
  %6 = constant value=f32[]{1e-05}  : f32[]
  %7 = add %5, %6  : f32[B, 5, 1]
  %8 = sqrt %7  : f32[B, 5, 1]
  %9 = divide %2, %8  : f32[B, 5, 8]
  %10 = multiply %9, @w  : f32[B, 5, 8]
  %12 = add %10, @b  : f32[B, 5, 8]
end
)",
        passes::fuse_patterns, "layer_norm");
}

TEST(Passes, GeluAndSiluWrittenOutAreFused) {
  check(R"(graph main(x: f32[4, 8]) -> (y = %9)
  %1 = constant value=f32[]{1.4142135}  : f32[]
  %2 = divide %x, %1  : f32[4, 8]
  %3 = erf %2  : f32[4, 8]
  %4 = constant value=f32[]{1}  : f32[]
  %5 = add %3, %4  : f32[4, 8]
  %6 = multiply %x, %5  : f32[4, 8]
  %7 = constant value=f32[]{0.5}  : f32[]
  %8 = multiply %6, %7  : f32[4, 8]
  %10 = sigmoid %8  : f32[4, 8]
  %9 = multiply %10, %8  : f32[4, 8]
end
)",
        passes::fuse_patterns, "gelu silu");
}

TEST(Passes, APatternWhoseInsideIsReadElsewhereStays) {
  check(R"(graph main(x: f32[4, 8]) -> (y = %2, gate = %1)
  %1 = sigmoid %x  : f32[4, 8]
  %2 = multiply %x, %1  : f32[4, 8]
end
)",
        passes::fuse_patterns, "sigmoid multiply");
}

TEST(Passes, SoftmaxWrittenOutIsFused) {
  check(R"(graph main(x: f32[4, 8]) -> (y = %5)
  %1 = max %x axes=[1] keepdims=true  : f32[4, 1]
  %2 = subtract %x, %1  : f32[4, 8]
  %3 = exp %2  : f32[4, 8]
  %4 = sum %3 axes=[-1] keepdims=true  : f32[4, 1]
  %5 = divide %3, %4  : f32[4, 8]
end
)",
        passes::fuse_patterns, "softmax");
}

TEST(Passes, RotaryEmbeddingIsFused) {
  check(R"(graph main(x: f32[B, 2, 5, 8], c: f32[5, 8], s: f32[5, 8]) -> (y = %7)
  %1 = slice %x axes=[-1] starts=[0] stops=[4]  : f32[B, 2, 5, 4]
  %2 = slice %x axes=[3] starts=[4] stops=[9223372036854775807]  : f32[B, 2, 5, 4]
  %3 = negative %2  : f32[B, 2, 5, 4]
  %4 = concat %3, %1 axis=-1  : f32[B, 2, 5, 8]
  %5 = multiply %x, %c  : f32[B, 2, 5, 8]
  %6 = multiply %4, %s  : f32[B, 2, 5, 8]
  %7 = add %5, %6  : f32[B, 2, 5, 8]
end
)",
        passes::fuse_patterns, "rope");
}

TEST(Passes, AttentionWithScaleOnBothSidesAndMaskIsFused) {
  check(R"(graph main(q: f32[2, 3, 5, 8], k: f32[2, 3, 7, 8], v: f32[2, 3, 7, 8], m: f32[2, 1, 5, 7]) -> (y = %7)
  %1 = constant value=f32[]{0.6}  : f32[]
  %2 = multiply %q, %1  : f32[2, 3, 5, 8]
  %3 = transpose %k axes=[0, 1, 3, 2]  : f32[2, 3, 8, 7]
  %4 = multiply %3, %1  : f32[2, 3, 8, 7]
  %5 = matmul %2, %4  : f32[2, 3, 5, 7]
  %6 = add %5, %m  : f32[2, 3, 5, 7]
  %8 = softmax %6 axis=-1  : f32[2, 3, 5, 7]
  %7 = matmul %8, %v  : f32[2, 3, 5, 8]
end
)",
        passes::fuse_attention, "attention");
}

TEST(Passes, TheWholePipelineKeepsNumbersAndDropsUnusedWeights) {
  Case before(R"(graph main(x: f32[B, 4]) -> (y = %4)
  weight @unused: f32[4]
  weight @w: f32[4, 6]
  %1 = matmul %x, @w  : f32[B, 6]
  %2 = sigmoid %1  : f32[B, 6]
  %4 = multiply %1, %2  : f32[B, 6]
end
)"),
      graph(R"(graph main(x: f32[B, 4]) -> (y = %4)
  weight @unused: f32[4]
  weight @w: f32[4, 6]
  %1 = matmul %x, @w  : f32[B, 6]
  %2 = sigmoid %1  : f32[B, 6]
  %4 = multiply %1, %2  : f32[B, 6]
end
)");
  passes::optimize(graph.module);
  EXPECT_EQ(graph.op_list(), "linear silu");
  EXPECT_FALSE(graph.module.weights.contains("unused"));
  expect_close(before.run(), graph.run());
}

}  // namespace
}  // namespace godwit
