// The IR as text: it prints, parses back to an equal graph, and diffs.
//
//   graph main(input: f32[B, 576], sr: i64[]) -> (output = %2, "odd name" = %1)
//     state h: f32[2, B, 128] -> %0 = f32[1]{0.5}
//     weight @stft.basis: f32[258, 1, 256]
//     %0 as padded = pad %input low=[0, 0] high=[0, 64] mode="reflect"  : f32[B, 640]   # stft.py:41 | encoder.stft
//     %1 = if %sr  : f32[B, 1] {
//       %2 = negative %0  : f32[B, 640]
//       yield %2
//     } {
//       yield %0
//     }
//   end
//
// Inputs are read as `%name`, states as `$name`, weights as `@name`, results of nodes as `%number`; an absent operand
// is `_`. A name that is no plain word (letters, digits, `_`, `.`) is quoted. `as` keeps the source's name of a result;
// behind `#` stand the place and the scope of the node. A
// state's initial value may be left out: zeros. A region with parameters opens with
// a line `(%3: i64[], %4: f32[B])`.
// Attributes: true, 3, B + 1, 0.5, "text", f32 (a dtype), [1, B], [0.5], ["a"], i64[2]{1, 2} (a tensor); an empty
// list of reals or texts is `reals[]` or `texts[]`.
#pragma once

#include <string>
#include <string_view>

#include "ir/graph.h"

namespace godwit::ir {

std::string print(const Graph& graph);
// Throws FileError naming the line. Weights' tensors are not part of the text, nor are the contents of values.
Graph parse_graph(std::string_view text);
Type parse_type(std::string_view text);  // throws FileError

std::string str(const Attr& attr);
Attr parse_attr(std::string_view text);  // throws FileError

}  // namespace godwit::ir
