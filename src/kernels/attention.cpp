#include "kernels/attention.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/gemm.h"
#include "kernels/rows.h"

namespace godwit::kernels {
namespace {

constexpr int64_t key_block = 512, query_block = 32;
constexpr int64_t row_block = 24;  // queries at a time: whole tiles of 6, 8 and 12
constexpr float none = -std::numeric_limits<float>::infinity();

// Memory on cache lines, which grows and is kept from call to call.
class Floats {
 public:
  float* of(int64_t count) {
    if (count > count_) data_ = hwy::AllocateAligned<float>(static_cast<size_t>(count_ = count));
    return data_.get();
  }

 private:
  int64_t count_ = 0;
  hwy::AlignedFreeUniquePtr<float[]> data_;
};

struct Scratch {
  Floats scores, queries, keys, values;
};

// One head of one item, some of its queries.
class Head {
 public:
  Head(const Attention& a, int64_t batch, int64_t head, Scratch& scratch)
      : a_(a), scratch_(scratch), f_(row_functions()), kernel_(tile_kernel()) {
    const int64_t kv = head / (a.heads / a.kv_heads);
    q_ = a.q + batch * a.q_stride[0] + head * a.q_stride[1];
    k_ = a.k + batch * a.k_stride[0] + kv * a.k_stride[1];
    v_ = a.v + batch * a.v_stride[0] + kv * a.v_stride[1];
    out_ = a.out + batch * a.out_stride[0] + head * a.out_stride[1];
    mask_ = batch * a.mask_stride[0] + head * a.mask_stride[1];
  }

  void run(int64_t first, int64_t last) {
    const int64_t count = last - first;
    best_.assign(static_cast<size_t>(count), none);
    sum_.assign(static_cast<size_t>(count), 0);
    for (int64_t i = first; i < last; ++i) std::fill_n(out_row(i), a_.value_depth, 0.0f);
    const int64_t keys = a_.causal ? std::min(a_.keys, last) : a_.keys;
    for (int64_t k0 = 0; k0 < keys; k0 += key_block) {
      const int64_t n = std::min(key_block, keys - k0);
      if (count <= 2)
        few(first, last, k0, n);
      else
        many(first, last, k0, n);
    }
    for (int64_t i = first; i < last; ++i) {
      const float sum = sum_[static_cast<size_t>(i - first)];
      f_.scale_shift(out_row(i), a_.value_depth, sum > 0 || std::isnan(sum) ? 1.0f / sum : 0.0f, 0, out_row(i));
    }
  }

 private:
  float* out_row(int64_t i) const { return out_ + i * a_.out_stride[2]; }

  // Rows of keys and values are read where they lie.
  void few(int64_t first, int64_t last, int64_t k0, int64_t n) {
    float* scores = scratch_.scores.of(n);
    for (int64_t i = first; i < last; ++i) {
      const float* q = q_ + i * a_.q_stride[2];
      for (int64_t j = 0; j < n; ++j) scores[j] = a_.scale * f_.dot(q, k_ + (k0 + j) * a_.k_stride[2], a_.depth);
      if (!weigh(i, first, k0, n, scores)) continue;
      for (int64_t j = 0; j < n; ++j) {
        const float w = scores[j];
        if (w != 0) f_.axpy(w, v_ + (k0 + j) * a_.v_stride[2], a_.value_depth, out_row(i));
      }
    }
  }

  // Products over packed blocks of keys and values.
  void many(int64_t first, int64_t last, int64_t k0, int64_t n) {
    float *keys = scratch_.keys.of(packed_size(a_.depth, n)),
          *values = scratch_.values.of(packed_size(n, a_.value_depth));
    pack(k_ + k0 * a_.k_stride[2], 1, a_.k_stride[2], a_.depth, n, keys);
    pack(v_ + k0 * a_.v_stride[2], a_.v_stride[2], 1, n, a_.value_depth, values);
    float *scores = scratch_.scores.of(row_block * key_block), *queries = scratch_.queries.of(row_block * a_.depth);
    for (int64_t i = first; i < last; i += row_block) {
      if (a_.causal && k0 > std::min(i + row_block, last) - 1) continue;
      const int64_t rows = std::min(row_block, last - i);
      const float *q[row_block], *p[row_block];
      float *s[row_block], *o[row_block];
      for (int64_t r = 0; r < rows; ++r) {
        float* scaled = queries + r * a_.depth;
        f_.scale_shift(q_ + (i + r) * a_.q_stride[2], a_.depth, a_.scale, 0, scaled);
        q[r] = scaled;
        p[r] = s[r] = scores + r * key_block;
        o[r] = out_row(i + r);
      }
      multiply(rows, q, a_.depth, keys, n, s, false);
      for (int64_t r = 0; r < rows; ++r)
        if (!weigh(i + r, first, k0, n, s[r])) std::fill_n(s[r], n, 0.0f);
      multiply(rows, p, n, values, a_.value_depth, o, true);
    }
  }

  // Rows of a times b (k, n), packed.
  void multiply(int64_t rows, const float* const* a, int64_t k, const float* b, int64_t n, float* const* c,
                bool accumulate) const {
    const int64_t tiles = (rows + tile_rows(n) - 1) / tile_rows(n);
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t r = i * rows / tiles, end = (i + 1) * rows / tiles;
      kernel_({static_cast<int>(end - r), a + r, 1, k, b, n, nullptr, c + r, accumulate, 0, k, {}}, 0, panel_count(n));
    }
  }

  // Scores of one query to weights; what the query has gathered so far is scaled to the new maximum. False where the
  // query sees none of these keys.
  bool weigh(int64_t i, int64_t first, int64_t k0, int64_t n, float* s) {
    apply_mask(i, k0, n, s);
    if (a_.causal && k0 + n > i + 1) std::fill(s + std::max<int64_t>(0, i + 1 - k0), s + n, none);
    float& best = best_[static_cast<size_t>(i - first)];
    float& sum = sum_[static_cast<size_t>(i - first)];
    const float top = f_.max(s, n);
    if (top == none) return false;
    const float now = std::isnan(top) || top > best ? top : best;
    if (now != best && best != none) {
      const float shrink = std::exp(best - now);
      sum *= shrink;
      f_.scale_shift(out_row(i), a_.value_depth, shrink, 0, out_row(i));
    }
    best = now;
    float part;
    f_.exp_shifted(s, n, now, s, &part);
    sum += part;
    return true;
  }

  void apply_mask(int64_t i, int64_t k0, int64_t n, float* s) const {
    if (!a_.mask) return;
    const int64_t at = mask_ + i * a_.mask_stride[2] + k0 * a_.mask_stride[3], step = a_.mask_stride[3];
    if (a_.mask_dtype == DType::boolean) {
      const auto* m = static_cast<const uint8_t*>(a_.mask) + at;
      for (int64_t j = 0; step == 1 && j < n; ++j) s[j] = m[j] ? s[j] : none;
      for (int64_t j = 0; step != 1 && j < n; ++j) s[j] = m[j * step] ? s[j] : none;
    } else {
      const auto* m = static_cast<const float*>(a_.mask) + at;
      if (step == 1) return f_.add_to(s, m, n);
      for (int64_t j = 0; j < n; ++j) s[j] += m[j * step];
    }
  }

  const Attention& a_;
  Scratch& scratch_;
  RowFunctions f_;
  TileKernel kernel_;
  const float *q_, *k_, *v_;
  float* out_;
  int64_t mask_;
  std::vector<float> best_, sum_;
};

}  // namespace

void attention(const Attention& a, ThreadPool& pool) {
  // Queries are shared out only where heads do not go round: each part packs keys and values anew.
  const int64_t all = a.batch * a.heads, most = std::max<int64_t>(1, a.queries / query_block);
  int64_t parts = 1;
  while (parts < most && all * parts % pool.threads() != 0 && all * parts < 8 * pool.threads()) ++parts;
  const int64_t work = all * parts > 0 ? a.queries * a.keys * a.depth / parts : 0;
  pool.parallel_for(
      all * parts, std::max<int64_t>(1, 100000 / std::max<int64_t>(work, 1)), [&](int64_t first, int64_t last) {
        static thread_local Scratch scratch;
        for (int64_t i = first; i < last; ++i) {
          const int64_t at = i / parts, part = i % parts;
          Head(a, at / a.heads, at % a.heads, scratch).run(part * a.queries / parts, (part + 1) * a.queries / parts);
        }
      });
}

}  // namespace godwit::kernels
