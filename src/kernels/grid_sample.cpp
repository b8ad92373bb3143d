#include "kernels/grid_sample.h"

#include <algorithm>
#include <cmath>

namespace godwit::kernels {
namespace {

// Folds a coordinate back and forth between the edges: pixel centres when the corners align, else pixel borders.
float reflected(float x, int64_t size, bool align_corners) {
  const float low = align_corners ? 0.0f : -0.5f;
  const auto span = static_cast<float>(2.0 * static_cast<double>(align_corners ? size - 1 : size));
  if (span <= 0) return 0;
  const float from = std::fabs(x - low), extra = from - std::floor(from / span) * span;
  return std::min(extra, span - extra) + low;
}

float clamped(float x, int64_t size) {
  const auto high = static_cast<float>(size - 1);
  return x < 0 ? 0 : x > high ? high : x;
}

// The polynomials of cubic convolution, in PyTorch's order of operations.
float cubic_weight(float x, bool inner) {
  constexpr float a = -0.75f;
  if (inner) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

}  // namespace

float GridSample::padded(float x, int64_t size) const {
  if (padding == Padding::zeros) return x;
  return clamped(padding == Padding::reflection ? reflected(x, size, align_corners) : x, size);
}

// A coordinate that is not a number becomes no address.
GridSample::Tap GridSample::tap_at(float x, int64_t size, float weight) const {
  const bool valid = x >= 0 && x <= static_cast<float>(size - 1);
  return {valid ? static_cast<int64_t>(x) : -1, weight};
}

int GridSample::taps(float coordinate, int64_t size, Tap* out) const {
  float x = (coordinate + 1.0f) * static_cast<float>(static_cast<double>(align_corners ? size - 1 : size) / 2.0);
  if (!align_corners) x -= 0.5f;
  if (mode == Mode::nearest) {
    out[0] = tap_at(std::nearbyint(padded(x, size)), size, 1);
    return 1;
  }
  if (mode == Mode::linear) {
    const float at = padded(x, size), base = std::floor(at), part = at - base;
    out[0] = tap_at(base, size, 1 - part);
    out[1] = tap_at(base + 1, size, part);
    return 2;
  }
  // Cubic pads each sample rather than the coordinate.
  const float base = std::floor(x), part = x - base, rest = 1 - part;
  const float weights[] = {cubic_weight(part + 1, false), cubic_weight(part, true), cubic_weight(rest, true),
                           cubic_weight(2 - part, false)};
  for (int k = 0; k < 4; ++k) out[k] = tap_at(padded(base + static_cast<float>(k - 1), size), size, weights[k]);
  return 4;
}

void GridSample::sample(const RowFunctions& f, const float* x, const float* place, float* y) const {
  const size_t d = spatial.size();
  Tap tap[3][4];
  int count[3] = {1, 1, 1};
  for (size_t i = 0; i < d; ++i) count[i] = taps(place[d - 1 - i], spatial[i], tap[i]);
  if (d == 2) tap[2][0] = {0, 1};
  const int64_t last = d == 3 ? spatial[2] : 1;
  std::fill(y, y + channels, 0.0f);
  for (int a = 0; a < count[0]; ++a)
    for (int b = 0; b < count[1]; ++b)
      for (int c = 0; c < count[2]; ++c) {
        const Tap &p = tap[0][a], &q = tap[1][b], &r = tap[2][c];
        if (p.index < 0 || q.index < 0 || r.index < 0) continue;
        const int64_t at = (p.index * spatial[1] + q.index) * last + r.index;
        f.axpy(p.weight * q.weight * r.weight, x + at * channels, channels, y);
      }
}

void GridSample::run(const float* x, const float* grid, float* y, ThreadPool& pool) const {
  const auto d = static_cast<int64_t>(spatial.size());
  const RowFunctions f = row_functions();
  int64_t volume = channels;
  for (int64_t s : spatial) volume *= s;
  pool.parallel_for(batch * places, std::max<int64_t>(1, 4096 / channels), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) sample(f, x + i / places * volume, grid + i * d, y + i * channels);
  });
}

}  // namespace godwit::kernels
