// Lists of arrays (ONNX sequences; an optional is a list of at most one). Positions are 0-d integers, negative ones
// count from the end.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

Sequence sequence(const std::vector<array>& xs);
array sequence_at(const Sequence& seq, const array& index);
array sequence_length(const Sequence& seq);                                                        // i64[]
Sequence sequence_insert(const Sequence& seq, const array& x, const std::optional<array>& index);  // absent: at the end
Sequence sequence_erase(const Sequence& seq, const std::optional<array>& index);                   // absent: the last
array sequence_concat(const Sequence& seq, int axis, bool stack);  // stack: on a new axis
Sequence sequence_split(const array& x, int axis, const Ints& sizes);

}  // namespace godwit::ops
