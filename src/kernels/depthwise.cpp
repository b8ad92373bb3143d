#include "kernels/depthwise.h"

#include <algorithm>

#include "kernels/window.h"

namespace godwit::kernels {
namespace {

// Taps of one row of the kernel.
int64_t width_of(const Taps& t) {
  size_t width = 0;
  while (width < t.offsets.size() && t.offsets[width][0] == t.offsets[0][0] && t.offsets[width][1] == t.offsets[0][1])
    ++width;
  return static_cast<int64_t>(width);
}

bool inside(int64_t at, int64_t size) { return static_cast<uint64_t>(at) < static_cast<uint64_t>(size); }

// A few points of one row of the result.
class Strip {
 public:
  Strip(const Conv& c, const Taps& t)
      : c_(c),
        t_(t),
        width_(width_of(t)),
        kernel_(window_functions().slide(width_, t.in_stride[2])),
        columns_((slide_points - 1) * t.in_stride[2] + width_),
        rows_(t.offsets.size() / static_cast<size_t>(width_)),
        weights_(rows_.size()),
        spare_(static_cast<size_t>(c.channels)) {}

  // Row `row` of all rows of the result, points [first, last) of it: no more than slide_points.
  void run(int64_t row, int64_t first, int64_t last) {
    const int64_t h = row % t_.points[1], d = row / t_.points[1] % t_.points[0], n = row / t_.points[1] / t_.points[0];
    const float* item = c_.x + n * c_.in[0] * c_.in[1] * c_.in[2] * c_.channels;
    const int64_t left = first * t_.in_stride[2] + t_.base[2] + t_.offsets[0][2];
    int64_t rows = 0;
    for (size_t s = 0; s < t_.offsets.size(); s += static_cast<size_t>(width_)) {
      const int64_t z = d * t_.in_stride[0] + t_.base[0] + t_.offsets[s][0];
      const int64_t y = h * t_.in_stride[1] + t_.base[1] + t_.offsets[s][1];
      if (!inside(z, c_.in[0]) || !inside(y, c_.in[1])) continue;
      rows_[static_cast<size_t>(rows)] = item + ((z * c_.in[1] + y) * c_.in[2] + left) * c_.channels;
      weights_[static_cast<size_t>(rows++)] =
          static_cast<const float*>(c_.weight.data) + static_cast<int64_t>(s) * c_.channels;
    }
    float* y[slide_points];
    for (int64_t p = 0; p < slide_points; ++p)
      y[p] = first + p < last ? c_.y + (row * t_.points[2] + first + p) * c_.channels : spare_.data();
    kernel_(rows_.data(), std::max<int64_t>(0, -left), std::min(columns_, c_.in[2] - left), weights_.data(), rows,
            c_.bias, c_.channels, y);
  }

 private:
  const Conv& c_;
  const Taps& t_;
  int64_t width_;
  WindowFunctions::Slide kernel_;
  int64_t columns_;
  std::vector<const float*> rows_, weights_;
  std::vector<float> spare_;  // for points that are not there
};

}  // namespace

bool slides(const Conv& c, const Taps& t) {
  const int64_t width = width_of(t);
  if (width == 0 || t.out_stride != Three{1, 1, 1} || t.out_base != Three{0, 0, 0} || t.points != c.out) return false;
  if (static_cast<int64_t>(t.offsets.size()) % width != 0) return false;
  for (size_t s = 0; s < t.offsets.size(); ++s) {
    const size_t start = s - s % static_cast<size_t>(width);
    if (t.offsets[s][0] != t.offsets[start][0] || t.offsets[s][1] != t.offsets[start][1]) return false;
    if (t.offsets[s][2] != t.offsets[0][2] + static_cast<int64_t>(s - start)) return false;
  }
  return window_functions().slide(width, t.in_stride[2]) != nullptr;
}

void slide(const Conv& c, const Taps& t, ThreadPool& pool, const Done& done) {
  constexpr int64_t piece = 4096;  // floats of the result that are finished while they are in cache
  const int64_t strips = (t.points[2] + slide_points - 1) / slide_points;
  const int64_t all = c.batch * t.points[0] * t.points[1] * strips;
  const int64_t work = static_cast<int64_t>(t.offsets.size()) * c.channels * slide_points;
  pool.parallel_for(all, std::max<int64_t>(1, 65536 / std::max<int64_t>(work, 1)), [&](int64_t a, int64_t b) {
    Strip strip(c, t);
    auto start = [&](int64_t i) { return i / strips * t.points[2] + i % strips * slide_points; };
    int64_t finished = start(a);
    for (int64_t i = a; i < b; ++i) {
      const int64_t first = i % strips * slide_points;
      strip.run(i / strips, first, std::min(t.points[2], first + slide_points));
      const int64_t now = start(i + 1);
      if (!done || ((now - finished) * c.channels < piece && i + 1 < b)) continue;
      done(finished, now, 0, c.filters);
      finished = now;
    }
  });
}

}  // namespace godwit::kernels
