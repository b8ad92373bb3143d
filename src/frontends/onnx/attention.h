// Attention as the ONNX operators describe it, shared by the standard and the com.microsoft rows.
#pragma once

#include "frontends/onnx/common.h"

namespace godwit::frontends::onnx {

struct AttentionSpec {
  Value *q, *k, *v;          // (B, H, S, D)
  Value* mask = nullptr;     // bool (true keeps) or additive; broadcasts to (B, H, S, T)
  Value* offset = nullptr;   // i64, position of the first query: 0-d or (B); null: 0
  Value* lengths = nullptr;  // i64 (B), keys from there on are padding
  double scale = 0;          // 0: 1 / sqrt(D)
  double softcap = 0;
  bool causal = false;
  int64_t left = -1, right = -1;   // sizes of a sliding window; -1: no bound
  int scores_mode = -1;            // which scores are wanted: 0 raw, 1 capped, 2 with bias, 3 probabilities
  std::optional<DType> precision;  // of the softmax
};

struct AttentionResult {
  Value* y;
  Value* scores = nullptr;
};

AttentionResult attention(Call& c, AttentionSpec spec);

// (B, S, H * D) <-> (B, H, S, D)
Value* split_heads(Call& c, Value* x, int64_t heads);
Value* join_heads(Call& c, Value* x);

// 0, 1, ..., count - 1 as i64.
Value* positions(Call& c, const ir::Dim& count);

}  // namespace godwit::frontends::onnx
