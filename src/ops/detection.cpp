#include "ops/detection.h"

#include <mlx/mlx.h>

#include <algorithm>
#include <cmath>

#include "ops/families.h"
#include "ops/window.h"

namespace godwit::ops {

using namespace window;

namespace {

// Values on the host, row-major, converted to T.
template <class T>
std::vector<T> on_host(const array& x, mx::Dtype dtype) {
  array y = mx::contiguous(mx::astype(x, dtype));
  y.eval();
  return std::vector<T>(y.data<T>(), y.data<T>() + y.size());
}

struct Box {
  float left, top, right, bottom;
  float area() const { return (right - left) * (bottom - top); }
};

Box box_of(const float* v, bool center) {
  if (center) return {v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
  return {std::min(v[1], v[3]), std::min(v[0], v[2]), std::max(v[1], v[3]), std::max(v[0], v[2])};
}

bool overlaps(const Box& a, const Box& b, double threshold) {
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (!(width > 0) || !(height > 0)) return false;
  const float both = width * height, all = a.area() + b.area() - both;
  return a.area() > 0 && b.area() > 0 && all > 0 && both / all > static_cast<float>(threshold);
}

}  // namespace

array nms(const array& boxes, const array& scores, int max_per_class, double iou_threshold, double score_threshold,
          bool center) {
  const int batches = boxes.shape(0), count = boxes.shape(1), classes = scores.shape(1);
  require<UsageError>(boxes.ndim() == 3 && boxes.shape(2) == 4 && scores.ndim() == 3 && scores.shape(0) == batches &&
                          scores.shape(2) == count,
                      "[nms] boxes {} and scores {} do not fit", fmt::join(boxes.shape(), "x"),
                      fmt::join(scores.shape(), "x"));
  const std::vector<float> corners = on_host<float>(boxes, mx::float32), values = on_host<float>(scores, mx::float32);
  std::vector<int64_t> selected;
  for (int b = 0; b < batches; ++b) {
    std::vector<Box> all;
    for (int i = 0; i < count; ++i) all.push_back(box_of(&corners[(static_cast<size_t>(b) * count + i) * 4], center));
    for (int k = 0; k < classes; ++k) {
      const float* score = values.data() + (static_cast<size_t>(b) * classes + k) * count;
      std::vector<int> order, kept;
      for (int i = 0; i < count; ++i)
        if (score[i] > static_cast<float>(score_threshold)) order.push_back(i);
      std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return score[i] > score[j]; });
      for (int i : order) {
        if (static_cast<int>(kept.size()) >= max_per_class) break;
        auto suppresses = [&](int j) { return overlaps(all[j], all[i], iou_threshold); };
        if (std::none_of(kept.begin(), kept.end(), suppresses)) kept.push_back(i);
      }
      for (int i : kept) selected.insert(selected.end(), {b, k, i});
    }
  }
  if (selected.empty()) return mx::zeros({0, 3}, mx::int64);
  return array(selected.data(), {static_cast<int>(selected.size() / 3), 3}, mx::int64);
}

namespace {

// Four neighbours of a place and their weights; all weights are zero outside of the map.
struct Corners {
  int at[4] = {0, 0, 0, 0};
  float weight[4] = {0, 0, 0, 0};
};

Corners corners_of(float y, float x, int height, int width) {
  Corners c;
  if (!(y >= -1) || y > static_cast<float>(height) || !(x >= -1) || x > static_cast<float>(width)) return c;
  auto split = [](float v, int size, int& low, int& high) {
    v = std::max(v, 0.0f);
    low = std::min(static_cast<int>(v), size - 1);
    high = std::min(low + 1, size - 1);
    return low == size - 1 ? 0.0f : v - static_cast<float>(low);
  };
  int y0, y1, x0, x1;
  const float fy = split(y, height, y0, y1), fx = split(x, width, x0, x1);
  const int at[4] = {y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1};
  const float weight[4] = {(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx};
  std::copy(at, at + 4, c.at);
  std::copy(weight, weight + 4, c.weight);
  return c;
}

float sampled(const float* plane, const std::vector<Corners>& places, bool average) {
  if (places.empty()) return 0;
  float sum = 0, best = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    const Corners& c = places[i];
    for (int k = 0; k < 4; ++k) {
      const float v = c.weight[k] * plane[c.at[k]];
      sum += v;
      best = i == 0 && k == 0 ? v : std::max(best, v);
    }
  }
  return average ? sum / static_cast<float>(places.size()) : best;
}

// One box: where its bins start, how large they are, and how many samples each takes.
struct Region {
  float top, left, bin_height, bin_width;
  int rows, columns;
};

Region region_of(const float* box, int height, int width, double scale, int sampling, bool half_pixel) {
  const float s = static_cast<float>(scale), shift = half_pixel ? 0.5f : 0.0f;
  Region r{};
  r.left = box[0] * s - shift;
  r.top = box[1] * s - shift;
  float w = box[2] * s - shift - r.left, h = box[3] * s - shift - r.top;
  if (!half_pixel) {
    w = std::max(w, 1.0f);
    h = std::max(h, 1.0f);
  }
  r.bin_width = w / static_cast<float>(width);
  r.bin_height = h / static_cast<float>(height);
  auto count = [&](float bin) {
    if (sampling > 0) return sampling;
    require<UsageError>(bin < 1e4f, "[roi_align] a box is {} elements per bin", bin);
    return std::max(static_cast<int>(std::ceil(bin)), 0);
  };
  r.rows = count(r.bin_height);
  r.columns = count(r.bin_width);
  return r;
}

std::vector<Corners> samples_of(const Region& r, int row, int column, int in_height, int in_width) {
  std::vector<Corners> places;
  for (int i = 0; i < r.rows; ++i)
    for (int j = 0; j < r.columns; ++j) {
      const float y = r.top + static_cast<float>(row) * r.bin_height +
                      (static_cast<float>(i) + 0.5f) * r.bin_height / static_cast<float>(r.rows);
      const float x = r.left + static_cast<float>(column) * r.bin_width +
                      (static_cast<float>(j) + 0.5f) * r.bin_width / static_cast<float>(r.columns);
      places.push_back(corners_of(y, x, in_height, in_width));
    }
  return places;
}

}  // namespace

array roi_align(const array& x, const array& boxes, const array& batch_indices, const std::string& mode, int height,
                int width, double scale, int sampling, bool half_pixel) {
  const int batches = x.shape(0), channels = x.shape(1), in_height = x.shape(2), in_width = x.shape(3);
  const int count = boxes.shape(0);
  const std::vector<float> planes = on_host<float>(x, mx::float32), corners = on_host<float>(boxes, mx::float32);
  const std::vector<int64_t> owner = on_host<int64_t>(batch_indices, mx::int64);
  const mx::Shape shape{count, channels, height, width};
  require<UsageError>(owner.size() == static_cast<size_t>(count), "[roi_align] {} batch indices for {} boxes",
                      owner.size(), count);
  const size_t plane = static_cast<size_t>(in_height) * in_width, bins = static_cast<size_t>(height) * width;
  std::vector<float> out(static_cast<size_t>(count) * channels * bins);
  if (out.empty() || plane == 0) return mx::zeros(shape, x.dtype());
  for (int n = 0; n < count; ++n) {
    require<UsageError>(owner[n] >= 0 && owner[n] < batches, "[roi_align] batch index {} is out of range", owner[n]);
    const Region region = region_of(&corners[static_cast<size_t>(n) * 4], height, width, scale, sampling, half_pixel);
    for (size_t bin = 0; bin < bins; ++bin) {
      const std::vector<Corners> places =
          samples_of(region, static_cast<int>(bin) / width, static_cast<int>(bin) % width, in_height, in_width);
      for (int c = 0; c < channels; ++c) {
        const float* source = planes.data() + (static_cast<size_t>(owner[n]) * channels + c) * plane;
        out[(static_cast<size_t>(n) * channels + c) * bins + bin] = sampled(source, places, mode == "avg");
      }
    }
  }
  return mx::astype(array(out.data(), shape, mx::float32), x.dtype());
}

namespace {

using Types = infer::Types;

Types infer_nms(InferContext& c) {
  const ir::Shape &boxes = c.shape(0), &scores = c.shape(1);
  if (boxes.size() != 3 || scores.size() != 3 || !agree(boxes[2], ir::Dim(4)) || !agree(boxes[0], scores[0]) ||
      !agree(boxes[1], scores[2]))
    c.fail("boxes are (batch, count, 4), scores (batch, classes, count)");
  return {{DType::i64, ir::Shape{InferContext::fresh(), 3}}};
}

Types infer_roi_align(InferContext& c) {
  const ir::Shape &x = c.shape(0), &boxes = c.shape(1), &owner = c.shape(2);
  if (x.size() != 4 || boxes.size() != 2 || !agree(boxes[1], ir::Dim(4)) || owner.size() != 1 ||
      !agree(owner[0], boxes[0]))
    c.fail("the input is (N, C, H, W), boxes are (R, 4), batch indices (R)");
  if (c.text("mode") != "avg" && c.text("mode") != "max") c.fail("mode '{}' is not known", c.text("mode"));
  const int64_t height = c.number("height"), width = c.number("width"), sampling = c.number("sampling");
  if (height < 1 || width < 1 || height > 1 << 16 || width > 1 << 16 || sampling > 1 << 12)
    c.fail("{} by {} bins of {} samples are out of range", height, width, sampling);
  return {{c.dtype(0), ir::Shape{boxes[0], x[1], height, width}}};
}

}  // namespace

Rows detection_rows() {
  Rows rows;
  rows.push_back(
      row("nms", &nms, "boxes, scores, max_per_class, iou_threshold, score_threshold, center=false", infer_nms));
  rows.push_back(row("roi_align", &roi_align,
                     "x, boxes, batch_indices, mode=\"avg\", height, width, scale=1.0, sampling=0, half_pixel=true",
                     infer_roi_align));
  return rows;
}

}  // namespace godwit::ops
