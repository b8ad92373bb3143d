#include "kernels/recurrent.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/recurrent.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/isa.h"
#include "kernels/lanes-inl.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace godwit::kernels::HWY_NAMESPACE {
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// gates (4n) to the next c and h, in place; h is written to y, too.
void lstm_cell(const float* gates, int64_t n, float* c, float* h, float* y) {
  over_lanes(n, [&](auto load, auto store) HWY_ATTR {
    const D d;
    const V i = sigmoid_of(d, load(gates)), f = sigmoid_of(d, load(gates + n)), g = tanh_of(d, load(gates + 2 * n));
    const V o = sigmoid_of(d, load(gates + 3 * n));
    const V next = hn::MulAdd(f, load(c), hn::Mul(i, g)), out = hn::Mul(o, tanh_of(d, next));
    store(next, c), store(out, h), store(out, y);
  });
}

// x (3n) from the input, p (3n) from the hidden state
void gru_cell(const float* x, const float* p, int64_t n, float* h, float* y) {
  over_lanes(n, [&](auto load, auto store) HWY_ATTR {
    const D d;
    const V r = sigmoid_of(d, hn::Add(load(x), load(p))), z = sigmoid_of(d, hn::Add(load(x + n), load(p + n)));
    const V candidate = tanh_of(d, hn::MulAdd(r, load(p + 2 * n), load(x + 2 * n)));
    const V out = hn::MulAdd(z, hn::Sub(load(h), candidate), candidate);
    store(out, h), store(out, y);
  });
}

}  // namespace godwit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace godwit::kernels {

HWY_EXPORT(lstm_cell);
HWY_EXPORT(gru_cell);

namespace {

// gates = h w (+ bias, or added to what gates hold)
void hidden_product(const Recurrent& r, int64_t columns, bool accumulate, TileKernel kernel, ThreadPool& pool) {
  const int64_t panels = panel_count(columns), step = tile_rows(columns);
  const int64_t work = r.batch * r.hidden * columns;
  pool.parallel_for(panels, std::max<int64_t>(1, panels * 300000 / std::max<int64_t>(work, 1)),
                    [&](int64_t left, int64_t right) {
                      for (int64_t row = 0; row < r.batch; row += step) {
                        const auto rows = static_cast<int>(std::min(step, r.batch - row));
                        const float* a[max_tile_rows];
                        float* c[max_tile_rows];
                        for (int i = 0; i < rows; ++i) {
                          a[i] = r.h + (row + i) * r.hidden;
                          c[i] = r.gates + (row + i) * columns;
                        }
                        kernel({rows, a, 1, r.hidden, r.w, columns, r.bias, c, accumulate, 0, r.hidden}, left, right);
                      }
                    });
}

size_t floats(int64_t n) { return static_cast<size_t>(n) * 4; }

}  // namespace

void lstm(const Recurrent& r, ThreadPool& pool) {
  choose_isa();
  const TileKernel kernel = tile_kernel();
  const int64_t n = r.hidden, state = r.batch * n;
  std::memcpy(r.h, r.h0, floats(state)), std::memcpy(r.c, r.c0, floats(state));
  for (int64_t s = 0; s < r.steps; ++s) {
    const int64_t t = r.reverse ? r.steps - 1 - s : s;
    std::memcpy(r.gates, r.x + t * state * 4, floats(state * 4));
    hidden_product(r, 4 * n, true, kernel, pool);
    for (int64_t b = 0; b < r.batch; ++b)
      HWY_DYNAMIC_DISPATCH(lstm_cell)(r.gates + b * 4 * n, n, r.c + b * n, r.h + b * n, r.y + t * state + b * n);
  }
}

void gru(const Recurrent& r, ThreadPool& pool) {
  choose_isa();
  const TileKernel kernel = tile_kernel();
  const int64_t n = r.hidden, state = r.batch * n;
  std::memcpy(r.h, r.h0, floats(state));
  for (int64_t s = 0; s < r.steps; ++s) {
    const int64_t t = r.reverse ? r.steps - 1 - s : s;
    hidden_product(r, 3 * n, false, kernel, pool);
    for (int64_t b = 0; b < r.batch; ++b) HWY_DYNAMIC_DISPATCH(gru_cell)
    (r.x + (t * r.batch + b) * 3 * n, r.gates + b * 3 * n, n, r.h + b * n, r.y + t * state + b * n);
  }
}

}  // namespace godwit::kernels
#endif
