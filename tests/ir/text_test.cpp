#include "ir/text.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "ir/verify.h"

namespace godwit::ir {
namespace {

constexpr const char* sample =
    R"(graph main(input: f32[B, 576], "odd name": i64[], sr: i64[]) -> (output = %4, "state N" = $h)
  state h: f32[2, B, 128] -> %0
  state "2": f32[1] -> $"2" = f32[1]{0.5}
  weight @"0.weight": f32[258, 1, 256]
  weight @stft.basis: f32[258, 1, 256]
  %0 as padded = pad %input low=[0, 0] high=[0, B + 64] mode="re\"f = lect # {"   : f32[B, 640]   # stft.py:41 | encoder.stft
  %1, %2 as "x y" = topk %0, _, @"0.weight" k=3 sorted=false  : f32[2*B + 1], i64[?]   # | layer
  check %sr message="ok"   # "a | b" | c
  %3 = constant value=i64[2]{1, -2}  : i64[2]
  %4, %5 = loop _, %"odd name", $h carried=1  : f32[(B)//(4)], seq(f32[N]) {   # net.py:3
    (%6 as i: i64[], %7: f32[B])
    %8 = cast %6 from=i64 to=f32 names=["a", "b"] none=reals[] nothing=texts[] empty=[]  : f32[]
    %9 = if %8  : f32[] {
      yield %8
    } {
      %10 = "unsupported.my op" %7 x=0.5 y=[0.5, inf] z=-3  : f32[]
      yield %10
    }
    yield %9, %8
  }
  dims
end
)";

TEST(Text, RoundTrips) {
  Graph g = parse_graph(sample);
  std::string once = print(g);
  EXPECT_EQ(once, print(parse_graph(once)));
  EXPECT_TRUE(defects(g).empty()) << fmt::format("{}", fmt::join(defects(g), "; "));
}

TEST(Text, KeepsEveryPart) {
  Graph g = parse_graph(sample);
  ASSERT_EQ(g.inputs.size(), 3u);
  EXPECT_EQ(g.inputs[1]->name, "odd name");
  EXPECT_EQ(g.output_names[1], "state N");
  EXPECT_EQ(g.outputs[1], g.states[0].before);
  EXPECT_EQ(g.states[1].initial->number(0), 0.5);
  EXPECT_EQ(g.weights.at("0.weight")->kind, Value::Kind::weight);
  const Node& pad = *g.nodes.front();
  EXPECT_EQ(pad.place, "stft.py:41");
  EXPECT_EQ(pad.scope, "encoder.stft");
  EXPECT_EQ(pad.output()->name, "padded");
  EXPECT_EQ(std::get<std::string>(*pad.find("mode")), "re\"f = lect # {");
  EXPECT_EQ(std::get<Dims>(*pad.find("high"))[1], Dim::symbol("B") + Dim(64));
  const Node& topk = **std::next(g.nodes.begin());
  EXPECT_EQ(topk.inputs[1], nullptr);
  EXPECT_FALSE(topk.outputs[1]->type.shape.has_value());
  EXPECT_EQ(topk.scope, "layer");
  const Node& check = **std::next(g.nodes.begin(), 2);
  EXPECT_TRUE(check.outputs.empty());
  EXPECT_EQ(check.place, "a | b");
  const Node& loop = **std::next(g.nodes.begin(), 4);
  ASSERT_EQ(loop.regions.size(), 1u);
  EXPECT_EQ(loop.regions[0]->inputs[0]->name, "i");
  EXPECT_EQ(loop.regions[0]->outputs.size(), 2u);
  EXPECT_EQ(loop.regions[0]->nodes.back()->regions.size(), 2u);
  EXPECT_TRUE(loop.outputs[1]->type.sequence);
}

TEST(Text, RefusesWhatIsNoGraph) {
  auto message = [](const char* text) -> std::string {
    try {
      parse_graph(text);
    } catch (const FileError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_NE(message("").find("empty"), std::string::npos);
  EXPECT_NE(message("graph g() -> ()\n").find("'end' is missing"), std::string::npos);
  EXPECT_NE(message("graph g() -> ()\n  %0 = relu %1  : f32[]\nend\n").find("line 2: '%1' is used before"),
            std::string::npos);
  EXPECT_NE(message("graph g(x: f32[]) -> (x = %x)\n  %0 = relu %x  : f32[]\n  %0 = relu %x  : f32[]\nend\n")
                .find("defined twice"),
            std::string::npos);
  EXPECT_NE(message("graph g(x: f32[]) -> (x = %x)\n  %0 = relu %x\nend\n").find("1 results, 0 types"),
            std::string::npos);
  EXPECT_NE(message("graph g(x: f33[]) -> ()\nend\n").find("f33"), std::string::npos);
  EXPECT_NE(message("graph g(x: f32[-3]) -> ()\nend\n").find("negative"), std::string::npos);
  EXPECT_NE(
      message(
          "graph g(x: f32[]) -> (y = %1)\n  %0 = if %x  : f32[] {\n    %1 = relu %x  : f32[]\n    yield %1\n  }\nend\n")
          .find("used before"),
      std::string::npos);
  std::string deep = "graph g(x: f32[]) -> ()\n";
  for (int i = 0; i < 100; ++i) deep += "if %x {\n";
  EXPECT_NE(message(deep.c_str()).find("nested deeper"), std::string::npos);
}

}  // namespace
}  // namespace godwit::ir
