// Scaled dot-product attention and rotary embedding.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// q (B, H, S, D), k (B, G, T, D), v (B, G, T, E), H a multiple of G -> (B, H, S, E). The mask broadcasts to
// (B, H, S, T): bool (true keeps) or additive. causal aligns to the top left as in torch. A row with nothing to look at
// gives zeros. Half types are summed in float32.
array attention(const array& q, const array& k, const array& v, const std::optional<array>& mask, double scale,
                bool causal);

// x (..., S, D); cos and sin broadcast to (..., S, D) or (..., S, D / 2). interleaved rotates (x0, x1), (x2, x3), ...;
// else the first half rotates with the second.
array rope(const array& x, const array& cos, const array& sin, bool interleaved);

}  // namespace godwit::ops
