// The IR as text: it prints, parses back to an equal graph, and diffs.
//
//   graph main(input: f32[B, 576], sr: i64[]) -> (output = %12, "odd name" = %9)
//     state h: f32[2, B, 128] -> %14
//     weight @stft.basis: f32[258, 1, 256]
//     %3 = pad %input low=[0, 0] high=[0, 64] mode="reflect"  : f32[B, 640]   # stft.py:41 | encoder.stft
//     %9 = if %8  : f32[B, 1] {
//       %10 = neg %3  : f32[B, 640]
//       yield %10
//     } {
//       yield %3
//     }
//   end
//
// An absent operand is `_`. A region with parameters opens with `{ (%20: i64[], %21: f32[B])`.
// Attributes: true, 3, B + 1, 0.5, "text", f32 (a dtype), [1, B], [0.5], ["a"], i64[2]{1, 2} (a tensor); an empty
// list of reals or texts is `reals[]` or `texts[]`.
#pragma once

#include <string>
#include <string_view>

#include "ir/graph.h"

namespace godwit::ir {

std::string print(const Graph& graph);
// Throws FileError naming the line. Weights' tensors are not part of the text.
Graph parse_graph(std::string_view text);

std::string str(const Attr& attr);
Attr parse_attr(std::string_view text);  // throws FileError

}  // namespace godwit::ir
