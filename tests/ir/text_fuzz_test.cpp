#include <gtest/gtest.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "support/fuzz.h"

namespace godwit::ir {
namespace {

constexpr const char* sample = R"(graph main(input: f32[B, 576], "odd": i64[]) -> (output = %4, "s N" = $h)
  state h: f32[2, B] -> %0 = f32[1]{0.5}
  weight @"0.w": f32[258, 1]
  %0 as p = pad %input low=[0, 0] high=[0, B + 64] mode="r\x41\"e"  : f32[B, 640]   # a.py:41 | enc
  %1, %2 = topk %0, _, @"0.w" k=max(B, (3*B)//(4)) sorted=false  : f32[2*B + 1], i64[?]
  %4 = loop _, %odd, $h carried=1  : seq(f32[N]) {
    (%6 as i: i64[], %7: f32[B])
    %8 = constant value=c64[1]{0x0000803f00000000}  : c64[1]
    yield %8, %7
  }
end
)";

TEST(TextFuzz, MutatedTextIsReadOrRefused) {
  const std::string valid = sample;
  const int refused = testing::fuzz(valid, 20000, 5, [](const std::string& text) {
    Graph g = parse_graph(text);
    defects(g);
    parse_graph(print(g));
  });
  EXPECT_GT(refused, 5000);
}

}  // namespace
}  // namespace godwit::ir
