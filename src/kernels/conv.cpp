#include "kernels/conv.h"

#include <algorithm>

#include "kernels/depthwise.h"
#include "kernels/window.h"

namespace godwit::kernels {
namespace {

constexpr int64_t max_depth = 2048;  // rows of a panel

int64_t points_of(const Taps& t) { return t.points[0] * t.points[1] * t.points[2]; }

// Where one output point reads and writes.
struct Point {
  const float* item;  // the batch item's input
  Three at;           // input position of offset 0
  int64_t out;        // index of the output pixel
};

// Points one after the other: divisions for the first alone.
class Walk {
 public:
  Walk(const Conv& c, const Taps& t, int64_t index) : c_(c), t_(t), n_(index / points_of(t)) {
    int64_t rest = index % points_of(t);
    for (int axis = 2; axis >= 0; --axis) q_[axis] = rest % t.points[axis], rest /= t.points[axis];
    locate();
  }
  const Point& point() const { return point_; }
  void next(int64_t count = 1) {  // not beyond the first point of the next row
    q_[2] += count;
    if (q_[2] < t_.points[2]) {
      point_.at[2] += count * t_.in_stride[2];
      point_.out += count * t_.out_stride[2];
      return;
    }
    q_[2] = 0;
    if (++q_[1] == t_.points[1]) {
      q_[1] = 0;
      if (++q_[0] == t_.points[0]) q_[0] = 0, ++n_;
    }
    locate();
  }

 private:
  void locate() {
    point_.item = c_.x + n_ * c_.in[0] * c_.in[1] * c_.in[2] * c_.channels;
    point_.out = n_;
    for (int axis = 0; axis < 3; ++axis) {
      point_.at[axis] = q_[axis] * t_.in_stride[axis] + t_.base[axis];
      point_.out = point_.out * c_.out[axis] + q_[axis] * t_.out_stride[axis] + t_.out_base[axis];
    }
  }

  const Conv& c_;
  const Taps& t_;
  int64_t n_;
  Three q_;
  Point point_;
};

bool inside(int64_t at, int64_t size) { return static_cast<uint64_t>(at) < static_cast<uint64_t>(size); }

bool is_inside(const Conv& c, const Taps& t, const Point& p) {
  for (int axis = 0; axis < 3; ++axis)
    if (p.at[axis] + t.lowest[axis] < 0 || p.at[axis] + t.highest[axis] >= c.in[axis]) return false;
  return true;
}

// Of offset 0, which may lie outside.
const float* origin(const Conv& c, const Point& p) {
  return p.item + ((p.at[0] * c.in[1] + p.at[1]) * c.in[2] + p.at[2]) * c.channels;
}

const float* address(const Conv& c, const Point& p, const Three& offset) {
  const int64_t d = p.at[0] + offset[0], h = p.at[1] + offset[1], w = p.at[2] + offset[2];
  if (!inside(d, c.in[0]) || !inside(h, c.in[1]) || !inside(w, c.in[2])) return nullptr;
  return p.item + ((d * c.in[1] + h) * c.in[2] + w) * c.channels;
}

// Pointers of a tile: rows of a segment side by side, a null one where the input ends.
struct TilePointers {
  int rows;
  int64_t segments, run;
  size_t first;  // in the list of pointers
  float* c[max_tile_rows];
};

// Segments of a few floats cost more than a copy that makes one of them all.
bool is_patched(const Conv& c, const Taps& t) {
  return c.groups == 1 && t.run * c.channels <= 16 && t.out_stride == Three{1, 1, 1} && t.points == c.out;
}

// Rows of points as the segments of a tile; runs stay whole where every point of the tile has them inside.
TilePointers gather(const Conv& c, const Taps& t, int rows, Walk& walk, std::vector<const float*>& pointers) {
  TilePointers tile{rows, 0, t.run, pointers.size(), {}};
  Point points[max_tile_rows];
  bool all_inside = true;
  int64_t low = c.in[2], high = 0;
  for (int r = 0; r < rows; ++r, walk.next()) {
    points[r] = walk.point();
    tile.c[r] = c.y + points[r].out * c.filters;
    all_inside = all_inside && is_inside(c, t, points[r]);
    low = std::min(low, points[r].at[2]), high = std::max(high, points[r].at[2]);
  }
  if (all_inside) {
    const float* from[max_tile_rows];
    for (int r = 0; r < rows; ++r) from[r] = origin(c, points[r]);
    for (size_t s = 0; s < t.offsets.size(); s += static_cast<size_t>(tile.run), ++tile.segments)
      for (int r = 0; r < rows; ++r) pointers.push_back(from[r] + t.distance[s]);
    return tile;
  }
  if (low + t.lowest[2] < 0 || high + t.highest[2] >= c.in[2]) tile.run = 1;
  for (size_t s = 0; s < t.offsets.size(); s += static_cast<size_t>(tile.run), ++tile.segments)
    for (int r = 0; r < tile.rows; ++r) {
      const float* at = address(c, points[r], t.offsets[s]);
      pointers.push_back(at ? at : c.zeros);
    }
  return tile;
}

// What points [first, last) read, a row of floats each, zeros where the input ends.
void make_patches(const Conv& c, const Taps& t, int64_t first, int64_t last, const WindowFunctions& f, float* out) {
  static thread_local std::vector<const float*> parts;
  const auto taps = static_cast<int64_t>(t.offsets.size());
  Walk walk(c, t, first);
  for (int64_t i = first; i < last;) {
    const Point& p = walk.point();
    // Points of one row that have all inside.
    const int64_t room = c.in[2] - 1 - t.highest[2] - p.at[2];
    const int64_t in_row = std::min(last - i, t.points[2] - i % t.points[2]);
    const int64_t count = is_inside(c, t, p) ? std::min(in_row, room / t.in_stride[2] + 1) : 1;
    parts.clear();
    if (count > 1 || is_inside(c, t, p)) {
      for (int64_t s = 0; s < taps; s += t.run) parts.push_back(origin(c, p) + t.distance[static_cast<size_t>(s)]);
      f.join(parts.data(), taps / t.run, t.run * c.channels, t.in_stride[2] * c.channels, count, out);
    } else {
      for (const Three& offset : t.offsets) {
        const float* at = address(c, p, offset);
        parts.push_back(at ? at : c.zeros);
      }
      f.join(parts.data(), taps, c.channels, 0, 1, out);
    }
    i += count, out += count * taps * c.channels;
    walk.next(count);
  }
}

// One group's filters over some points: panels outside, so that a panel of weights stays in cache.
void run_tiles(const Conv& c, const Taps& t, TileKernel kernel, int64_t first, int64_t last, int64_t group,
               int64_t left, int64_t right) {
  static thread_local std::vector<const float*> pointers;
  static thread_local std::vector<TilePointers> tiles;
  static thread_local std::vector<float> patches;
  const int64_t each = c.channels / c.groups, filters = c.filters / c.groups;
  const auto taps = static_cast<int64_t>(t.offsets.size());
  const auto skipped = static_cast<size_t>(group * packed_size(taps * each, filters)) * item_size(c.weight.type);
  const Packed weight(static_cast<const std::byte*>(c.weight.data) + skipped, c.weight.type);
  const int64_t step = tile_rows(filters), count = (last - first + step - 1) / step;
  pointers.clear(), tiles.clear();
  const bool patched = is_patched(c, t);
  if (patched) {
    constexpr int64_t beyond = 16;  // join() writes whole vectors
    patches.resize(static_cast<size_t>((last - first) * taps * each + beyond));
    make_patches(c, t, first, last, window_functions(), patches.data());
  }
  Walk walk(c, t, first);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t start = i * (last - first) / count, rows = (i + 1) * (last - first) / count - start;
    if (!patched) {
      tiles.push_back(gather(c, t, static_cast<int>(rows), walk, pointers));
      continue;
    }
    TilePointers& tile = tiles.emplace_back(TilePointers{static_cast<int>(rows), 1, taps, pointers.size(), {}});
    for (int64_t r = 0; r < rows; ++r) {
      tile.c[r] = c.y + (first + start + r) * c.filters;
      pointers.push_back(patches.data() + (start + r) * taps * each);
    }
  }
  if (c.groups > 1) {
    for (const float*& p : pointers)
      if (p != c.zeros) p += group * each;
    for (TilePointers& tile : tiles)
      for (int r = 0; r < tile.rows; ++r) tile.c[r] += group * filters;
  }
  const float* bias = c.bias ? c.bias + group * filters : nullptr;
  // As much of a panel at a time as leaves room for the next part in the second-level cache.
  const int64_t chunk = patched ? taps : std::max<int64_t>(1, max_depth / (each * t.run)) * t.run;
  for (int64_t panel = left; panel < right; ++panel)
    for (int64_t tap = 0; tap < taps; tap += chunk) {
      const int64_t here = std::min(chunk, taps - tap);
      const bool last_chunk = tap + here == taps;
      for (size_t i = 0; i < tiles.size(); ++i) {
        const TilePointers& tile = tiles[i];
        const float* const* from = pointers.data() + tile.first + tap / tile.run * tile.rows;
        Tile part{tile.rows, from,   here / tile.run, tile.run * each, weight,     filters,
                  bias,      tile.c, tap > 0,         tap * each,      taps * each};
        if (!last_chunk || panel + 1 < right)
          part.ahead = {last_chunk ? panel + 1 : panel, last_chunk ? 0 : (tap + here) * each, static_cast<int64_t>(i),
                        static_cast<int64_t>(tiles.size())};
        kernel(part, panel, panel + 1);
      }
    }
}

}  // namespace

void conv(const Conv& c, const Taps& t, ThreadPool& pool, const Done& done) {
  const TileKernel kernel = tile_kernel();
  const int64_t points = c.batch * points_of(t), filters = c.filters / c.groups, panels = panel_count(filters);
  const double depth = static_cast<double>(t.offsets.size()) * static_cast<double>(c.channels / c.groups);
  int64_t block = 64 / tile_rows(filters) * tile_rows(filters);
  const int64_t wanted = pool.threads() * 2;
  const int64_t blocks = (points + block - 1) / block;
  const int64_t columns = std::min(panels, std::max<int64_t>(1, (wanted + blocks - 1) / std::max<int64_t>(blocks, 1)));
  const double work = 2.0 * depth * static_cast<double>(std::min(block, points)) * static_cast<double>(c.filters) /
                      static_cast<double>(columns);
  const auto grain = static_cast<int64_t>(4e5 / std::max(work, 1.0));
  pool.parallel_for(blocks * columns, std::clamp<int64_t>(grain, 1, blocks * columns), [&](int64_t a, int64_t b) {
    for (int64_t part = a; part < b; ++part) {
      const int64_t first = part / columns * block, last = std::min(points, first + block), at = part % columns;
      const int64_t left = at * panels / columns, right = (at + 1) * panels / columns;
      for (int64_t group = 0; group < c.groups; ++group) run_tiles(c, t, kernel, first, last, group, left, right);
      if (!done) continue;
      if (columns == 1) {
        done(first, last, 0, c.filters);
        continue;
      }
      for (int64_t group = 0; group < c.groups; ++group)
        done(first, last, group * filters + panel_start(filters, left), group * filters + panel_start(filters, right));
    }
  });
}

void prepare(Taps& t, const Conv& c) {
  t.distance.clear();
  if (!t.offsets.empty()) t.lowest = t.highest = t.offsets[0];
  for (const Three& o : t.offsets) {
    t.distance.push_back(((o[0] * c.in[1] + o[1]) * c.in[2] + o[2]) * c.channels);
    for (int axis = 0; axis < 3; ++axis) {
      t.lowest[axis] = std::min(t.lowest[axis], o[axis]);
      t.highest[axis] = std::max(t.highest[axis], o[axis]);
    }
  }
}

void depthwise_conv(const Conv& c, const Taps& t, ThreadPool& pool, const Done& done) {
  if (slides(c, t)) return slide(c, t, pool, done);
  const WindowFunctions f = window_functions();
  const int64_t points = c.batch * points_of(t);
  const auto* weight = static_cast<const float*>(c.weight.data);
  const auto taps = t.offsets.size();
  const int64_t work = static_cast<int64_t>(taps) * c.channels;
  auto some = [&](int64_t first, int64_t last) {
    std::vector<const float*> rows(taps * 4);
    Walk walk(c, t, first);
    float* y[4];
    for (int64_t i = first; i < last; i += 4) {
      for (size_t k = 0; k < 4; ++k) {  // the last of the points stands for those that are missing
        const Point& p = walk.point();
        y[k] = c.y + p.out * c.filters;
        if (is_inside(c, t, p)) {
          const float* from = origin(c, p);
          for (size_t s = 0; s < taps; ++s) rows[s * 4 + k] = from + t.distance[s];
        } else {
          for (size_t s = 0; s < taps; ++s) {
            const float* at = address(c, p, t.offsets[s]);
            rows[s * 4 + k] = at ? at : c.zeros;
          }
        }
        if (i + static_cast<int64_t>(k) + 1 < last) walk.next();
      }
      f.depthwise(rows.data(), static_cast<int64_t>(taps), weight, c.bias, c.channels, y);
    }
    if (done) done(first, last, 0, c.filters);
  };
  pool.parallel_for(points, std::max<int64_t>(4, 32768 / std::max<int64_t>(work, 1)), some);
}

void pool(const Conv& c, const Taps& t, Pool kind, const float* scale, ThreadPool& threads) {
  const WindowFunctions f = window_functions();
  const int64_t each = points_of(t), points = c.batch * each;
  const int64_t work = static_cast<int64_t>(t.offsets.size()) * c.channels;
  auto some = [&](int64_t first, int64_t last) {
    std::vector<const float*> rows(t.offsets.size());
    Walk walk(c, t, first);
    for (int64_t i = first; i < last; ++i, walk.next()) {
      const Point& p = walk.point();
      int64_t count = 0;
      for (const Three& offset : t.offsets)
        if (const float* at = address(c, p, offset)) rows[static_cast<size_t>(count++)] = at;
      float* y = c.y + p.out * c.channels;
      if (kind == Pool::max)
        f.max(rows.data(), count, c.channels, y);
      else
        f.sum(rows.data(), count, scale[i % each], c.channels, y);
    }
  };
  threads.parallel_for(points, std::max<int64_t>(1, 32768 / std::max<int64_t>(work, 1)), some);
}

}  // namespace godwit::kernels
