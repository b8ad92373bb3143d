#include "kernels/conv.h"

#include <algorithm>

#include "kernels/window.h"

namespace godwit::kernels {
namespace {

int64_t points_of(const Taps& t) { return t.points[0] * t.points[1] * t.points[2]; }

// Where one output point reads and writes.
struct Point {
  const float* item;  // the batch item's input
  Three at;           // input position of offset 0
  int64_t out;        // index of the output pixel
};

Point locate(const Conv& c, const Taps& t, int64_t index) {
  const int64_t n = index / points_of(t);
  int64_t rest = index % points_of(t);
  Three q;
  for (int axis = 2; axis >= 0; --axis) q[axis] = rest % t.points[axis], rest /= t.points[axis];
  Point p{c.x + n * c.in[0] * c.in[1] * c.in[2] * c.channels, {}, n};
  for (int axis = 0; axis < 3; ++axis) {
    p.at[axis] = q[axis] * t.in_stride[axis] + t.base[axis];
    p.out = p.out * c.out[axis] + q[axis] * t.out_stride[axis] + t.out_base[axis];
  }
  return p;
}

bool inside(int64_t at, int64_t size) { return static_cast<uint64_t>(at) < static_cast<uint64_t>(size); }

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

// Rows of points as the segments of a tile; runs stay whole where every point of the tile has them inside.
TilePointers gather(const Conv& c, const Taps& t, int64_t first, int64_t last, std::vector<const float*>& pointers) {
  TilePointers tile{static_cast<int>(last - first), 0, t.run, pointers.size(), {}};
  Point points[max_tile_rows];
  for (int64_t i = first; i < last; ++i) {
    const Point p = points[i - first] = locate(c, t, i);
    tile.c[i - first] = c.y + p.out * c.filters;
    if (t.run > 1)
      for (size_t s = 0; s < t.offsets.size() && tile.run > 1; s += static_cast<size_t>(t.run)) {
        const int64_t w = p.at[2] + t.offsets[s][2];
        if (w < 0 || w + t.run > c.in[2]) tile.run = 1;
      }
  }
  for (size_t s = 0; s < t.offsets.size(); s += static_cast<size_t>(tile.run), ++tile.segments)
    for (int r = 0; r < tile.rows; ++r) {
      const float* at = address(c, points[r], t.offsets[s]);
      pointers.push_back(at ? at : c.zeros);
    }
  return tile;
}

// One group's filters over some points: panels outside, so that a panel of weights stays in cache.
void run_tiles(const Conv& c, const Taps& t, TileKernel kernel, int64_t first, int64_t last, int64_t group,
               int64_t left, int64_t right) {
  static thread_local std::vector<const float*> pointers;
  static thread_local std::vector<TilePointers> tiles;
  const int64_t each = c.channels / c.groups, filters = c.filters / c.groups;
  const auto taps = static_cast<int64_t>(t.offsets.size());
  const float* weight = t.weight + group * packed_size(taps * each, filters);
  const int64_t step = tile_rows(), count = (last - first + step - 1) / step;
  pointers.clear(), tiles.clear();
  for (int64_t i = 0; i < count; ++i)
    tiles.push_back(
        gather(c, t, first + i * (last - first) / count, first + (i + 1) * (last - first) / count, pointers));
  if (c.groups > 1) {
    for (const float*& p : pointers)
      if (p != c.zeros) p += group * each;
    for (TilePointers& tile : tiles)
      for (int r = 0; r < tile.rows; ++r) tile.c[r] += group * filters;
  }
  const float* bias = c.bias ? c.bias + group * filters : nullptr;
  for (int64_t panel = left; panel < right; ++panel)
    for (size_t i = 0; i < tiles.size(); ++i) {
      const TilePointers& tile = tiles[i];
      Tile part{tile.rows,     pointers.data() + tile.first,
                tile.segments, tile.run * each,
                weight,        filters,
                bias,          tile.c,
                false,         0,
                taps * each};
      if (panel + 1 < right) look_ahead(part, panel + 1, static_cast<int64_t>(i), static_cast<int64_t>(tiles.size()));
      kernel(part, panel, panel + 1);
    }
}

}  // namespace

void conv(const Conv& c, const Taps& t, ThreadPool& pool, const Done& done) {
  const TileKernel kernel = tile_kernel();
  const int64_t points = c.batch * points_of(t), filters = c.filters / c.groups, panels = panel_count(filters);
  const double depth = static_cast<double>(t.offsets.size()) * static_cast<double>(c.channels / c.groups);
  int64_t block = 8 * tile_rows();
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

void depthwise_conv(const Conv& c, const Taps& t, ThreadPool& pool, const Done& done) {
  const WindowFunctions f = window_functions();
  const int64_t points = c.batch * points_of(t);
  const auto taps = t.offsets.size();
  const int64_t work = static_cast<int64_t>(taps) * c.channels;
  pool.parallel_for(points, std::max<int64_t>(4, 32768 / std::max<int64_t>(work, 1)), [&](int64_t first, int64_t last) {
    std::vector<const float*> rows(taps * 4);
    for (int64_t i = first; i < last; i += 4) {
      const int64_t n = std::min<int64_t>(4, last - i);
      float* y[4];
      for (int64_t k = 0; k < 4; ++k) {
        const Point p = locate(c, t, i + std::min(k, n - 1));
        y[k] = c.y + p.out * c.filters;
        for (size_t s = 0; s < taps; ++s) {
          const float* at = address(c, p, t.offsets[s]);
          rows[s * 4 + static_cast<size_t>(k)] = at ? at : c.zeros;
        }
      }
      f.depthwise(rows.data(), static_cast<int64_t>(taps), t.weight, c.bias, c.channels, y);
    }
    if (done) done(first, last, 0, c.filters);
  });
}

void pool(const Conv& c, const Taps& t, Pool kind, const float* scale, ThreadPool& threads) {
  const WindowFunctions f = window_functions();
  const int64_t each = points_of(t), points = c.batch * each;
  const auto taps = t.offsets.size();
  const int64_t work = static_cast<int64_t>(taps) * c.channels;
  threads.parallel_for(points, std::max<int64_t>(1, 32768 / std::max<int64_t>(work, 1)),
                       [&](int64_t first, int64_t last) {
                         std::vector<const float*> rows(taps);
                         for (int64_t i = first; i < last; ++i) {
                           const Point p = locate(c, t, i);
                           int64_t count = 0;
                           for (const Three& offset : t.offsets)
                             if (const float* at = address(c, p, offset)) rows[static_cast<size_t>(count++)] = at;
                           float* y = c.y + p.out * c.channels;
                           if (kind == Pool::max)
                             f.max(rows.data(), count, c.channels, y);
                           else
                             f.sum(rows.data(), count, scale[i % each], c.channels, y);
                         }
                       });
}

}  // namespace godwit::kernels
