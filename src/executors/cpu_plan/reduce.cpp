// Reductions over any axes of any dense or strided float32 tensor.
#include <cmath>
#include <limits>
#include <set>

#include "executors/cpu_plan/rows.h"
#include "kernels/rows.h"

namespace godwit::executors::plan {
namespace {

enum class Kind : uint8_t { sum, mean, max, min, length };  // length: the root of the sum of squares

struct Reduction {
  Kind kind;
  Loops kept, reduced;  // strides of the operand
  bool inner_is_kept;   // the fastest axis of the operand stays
  int64_t count = 1;    // elements that become one
  kernels::RowFunctions f = kernels::row_functions();

  float neutral() const {
    if (kind == Kind::max) return -std::numeric_limits<float>::infinity();
    return kind == Kind::min ? std::numeric_limits<float>::infinity() : 0;
  }
  float row(const float* x, int64_t n) const {
    if (kind == Kind::length) return f.sum_squares(x, n, 0);
    return kind == Kind::max ? f.max(x, n) : kind == Kind::min ? f.min(x, n) : f.sum(x, n);
  }
  float join(float a, float b) const {
    if (kind == Kind::max) return std::isnan(a) || a > b ? a : b;
    if (kind == Kind::min) return std::isnan(a) || a < b ? a : b;
    return a + b;
  }
  float one(float x) const { return kind == Kind::length ? x * x : x; }
  float result(float x) const {
    if (kind == Kind::mean) return x / static_cast<float>(count);
    return kind == Kind::length ? std::sqrt(x) : x;
  }
  void join_rows(float* to, const float* x, int64_t n) const {
    if (kind == Kind::length) return f.multiply_add_to(to, x, x, n);
    kind == Kind::max ? f.max_to(to, x, n) : kind == Kind::min ? f.min_to(to, x, n) : f.add_to(to, x, n);
  }
};

int64_t offset_of(const Loops& loops, int64_t index, size_t axes) {
  int64_t at = 0;
  for (size_t i = axes; i-- > 0; index /= loops.shape[i]) at += index % loops.shape[i] * loops.strides[0][i];
  return at;
}

int64_t size_of(const Loops& loops, size_t axes) {
  int64_t size = 1;
  for (size_t i = 0; i < axes; ++i) size *= loops.shape[i];
  return size;
}

// One result element a round: rows of the operand are folded.
void reduce_inner(const Reduction& r, const float* x, float* out, ThreadPool& pool) {
  const size_t last = r.reduced.shape.size() - 1, axes = r.kept.shape.size();
  const int64_t run = r.reduced.shape[last], stride = r.reduced.strides[0][last];
  const int64_t outer = size_of(r.reduced, last), results = size_of(r.kept, axes);
  pool.parallel_for(results, std::max<int64_t>(1, 16384 / std::max<int64_t>(r.count, 1)), [&](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      const float* from = x + offset_of(r.kept, i, axes);
      float value = r.neutral();
      for (int64_t o = 0; o < outer; ++o) {
        const float* row = from + offset_of(r.reduced, o, last);
        if (stride == 1) {
          value = r.join(value, r.row(row, run));
        } else {
          for (int64_t k = 0; k < run; ++k) value = r.join(value, r.one(row[k * stride]));
        }
      }
      out[i] = r.result(value);
    }
  });
}

// The fastest axis stays: whole rows are added up.
void reduce_outer(const Reduction& r, const float* x, float* out, ThreadPool& pool) {
  const size_t last = r.kept.shape.size() - 1, axes = r.reduced.shape.size();
  const int64_t width = r.kept.shape[last], rows = size_of(r.kept, last), outer = size_of(r.reduced, axes);
  constexpr int64_t strip = 256;
  const int64_t strips = (width + strip - 1) / strip;
  pool.parallel_for(rows * strips, std::max<int64_t>(1, 64 / std::max<int64_t>(outer, 1)), [&](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      const int64_t left = i % strips * strip, n = std::min(strip, width - left);
      const float* from = x + offset_of(r.kept, i / strips, last) + left;
      float* to = out + i / strips * width + left;
      std::fill(to, to + n, r.neutral());
      for (int64_t o = 0; o < outer; ++o) r.join_rows(to, from + offset_of(r.reduced, o, axes), n);
      if (r.kind == Kind::mean || r.kind == Kind::length)
        for (int64_t k = 0; k < n; ++k) to[k] = r.result(to[k]);
    }
  });
}

bool reduce(Lowering& l, const ir::Node& node, Kind kind) {
  if (!computes_in_float(node.output()->dtype()) || !computes_in_float(node.inputs[0]->dtype())) return false;
  const Attributes a(node, l.env());
  const Place& x = l.place(node.inputs[0]);
  const Layout& from = x.layout;
  if (from.size() == 0) return false;
  std::set<int64_t> axes;
  for (int64_t axis : a.ints("axes")) axes.insert(axis < 0 ? axis + from.rank() : axis);
  Ints kept, reduced, kept_strides, reduced_strides;
  int64_t fastest = -1, smallest = std::numeric_limits<int64_t>::max();
  for (int64_t i = 0; i < from.rank(); ++i) {
    const auto at = static_cast<size_t>(i);
    const bool gone = axes.contains(i);
    (gone ? reduced : kept).push_back(from.shape[at]);
    (gone ? reduced_strides : kept_strides).push_back(from.strides[at]);
    if (from.shape[at] > 1 && from.strides[at] > 0 && from.strides[at] < smallest)
      fastest = i, smallest = from.strides[at];
  }
  Reduction r{kind, {}, {}, false};
  for (int64_t d : reduced) r.count *= d;
  // Results are written in row-major order of the kept axes, so these keep their order when they merge.
  r.kept = merged(kept, {row_major_strides(kept), kept_strides});
  r.kept.strides.erase(r.kept.strides.begin());
  r.reduced = merged(reduced, {reduced_strides});
  r.inner_is_kept = fastest >= 0 && !axes.contains(fastest) && smallest == 1 && r.kept.strides[0].back() == 1;
  const Ref in = x.ref(), out = l.result(node.output()).ref();
  l.emit(node, "reduce", {in, out}, [=](const Run& run) {
    (r.inner_is_kept ? reduce_outer : reduce_inner)(r, run.at<float>(in), run.at<float>(out), run.pool);
  });
  return true;
}

bool sum(Lowering& l, const ir::Node& node) { return reduce(l, node, Kind::sum) || reduce_integers(l, node); }
bool mean(Lowering& l, const ir::Node& node) { return reduce(l, node, Kind::mean); }
bool max(Lowering& l, const ir::Node& node) { return reduce(l, node, Kind::max) || reduce_integers(l, node); }
bool min(Lowering& l, const ir::Node& node) { return reduce(l, node, Kind::min) || reduce_integers(l, node); }
bool norm(Lowering& l, const ir::Node& node) {
  return Attributes(node, l.env()).real("order") == 2 && reduce(l, node, Kind::length);
}

}  // namespace

Rows reduce_rows() { return {{"sum", sum}, {"mean", mean}, {"max", max}, {"min", min}, {"norm", norm}}; }

}  // namespace godwit::executors::plan
