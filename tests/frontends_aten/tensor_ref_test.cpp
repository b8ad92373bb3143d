#include "frontends/aten/tensor_ref.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace godwit::frontends::aten {
namespace {

// Nodes without a row stand for views and writes: only who reads what matters here.
struct Fixture : testing::Test {
  ir::Module module;
  ir::Graph graph;
  ops::Builder b{module, graph};
  Heap heap{b};
  ir::Type type{DType::f32, ir::Shape{4}};

  ir::Value* node(ops::Builder& builder, const char* name, std::vector<ir::Value*> inputs) {
    return builder.region_op(name, std::move(inputs), {}, {}, {type})[0];
  }
  TensorRef view_of(const TensorRef& t, bool writable = true) {
    TensorRef::Inverse inverse;
    if (writable)
      inverse = [this](ops::Builder& to, ir::Value* base, ir::Value* update) {
        return node(to, "scatter", {base, update});
      };
    return t.view([this](ops::Builder& to, ir::Value* base) { return node(to, "view", {base}); }, inverse, true);
  }
};

TEST_F(Fixture, WriteThroughAViewChangesTheRoot) {
  ir::Value* x = graph.add_input("x", type);
  TensorRef root = heap.make(x), view = view_of(view_of(root));
  ir::Value* update = graph.add_input("u", type);
  view.write(update);
  EXPECT_EQ(view.read(), update);
  ASSERT_EQ(root.read()->producer->op, "scatter");
  EXPECT_EQ(root.read()->producer->inputs[0], x);
  EXPECT_EQ(root.read()->producer->inputs[1]->producer->inputs[1], update);
}

TEST_F(Fixture, AViewIsDerivedAgainAfterItsRootChanged) {
  TensorRef root = heap.make(graph.add_input("x", type)), view = view_of(root);
  ir::Value* before = view.read();
  EXPECT_EQ(view.read(), before);
  root.write(graph.add_input("u", type));
  EXPECT_NE(view.read(), before);
  EXPECT_EQ(view.read()->producer->inputs[0], graph.inputs[1]);
}

TEST_F(Fixture, AViewWithoutAnInverseCannotBeWritten) {
  TensorRef view = view_of(heap.make(graph.add_input("x", type)), false);
  EXPECT_THROW(view.write(graph.inputs[0]), UsageError);
}

TEST_F(Fixture, ARegionGivesRootsTheirFormerContentsBack) {
  ir::Value* x = graph.add_input("x", type);
  TensorRef root = heap.make(x), view = view_of(root);
  ir::Value* outside = view.read();
  ir::Graph body;
  {
    Heap::Region region(heap, body);
    root.write(node(b, "new", {x}));
    ASSERT_EQ(region.writes().size(), 1u);
    EXPECT_EQ(region.writes()[0].before, x);
    EXPECT_EQ(region.writes()[0].after()->producer->op, "new");
    EXPECT_NE(view.read(), outside);
    EXPECT_EQ(body.nodes.size(), 2u);
  }
  EXPECT_EQ(root.read(), x);
  // What was derived inside the region is not used outside of it.
  EXPECT_EQ(view.read()->producer->inputs[0], x);
  EXPECT_EQ(graph.nodes.back()->outputs[0], view.read());
}

}  // namespace
}  // namespace godwit::frontends::aten
