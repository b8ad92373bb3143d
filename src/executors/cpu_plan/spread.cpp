// Reductions that read their operand more than once, or element by element: over contiguous rows.
#include <algorithm>
#include <cmath>

#include "executors/cpu_plan/rows.h"
#include "kernels/rows.h"

namespace godwit::executors::plan {
namespace {

using kernels::RowFunctions;

// The operand with the reduced axes last in memory: rows of n elements, one a result.
struct Reduced {
  Ref x;
  int64_t rows = 1, n = 1;
};

Reduced reduced(Lowering& l, const ir::Node& node) {
  const Ints shape = l.shape(node.inputs[0]);
  std::vector<bool> gone(shape.size(), false);
  if (!shape.empty())  // an axis of a scalar
    for (int64_t axis : Attributes(node, l.env()).ints("axes"))
      gone[static_cast<size_t>(positive(axis, static_cast<int64_t>(shape.size())))] = true;
  Reduced r;
  std::vector<int> order;
  for (const bool last : {false, true})
    for (size_t i = 0; i < shape.size(); ++i)
      if (gone[i] == last) order.push_back(static_cast<int>(i)), (last ? r.n : r.rows) *= shape[i];
  r.x = l.ordered(node.inputs[0], order).ref();
  return r;
}

template <class Function>
bool emit_rows(Lowering& l, const ir::Node& node, const char* kernel, Function function) {
  if (!computes_in_float(node.output()->dtype()) || !computes_in_float(node.inputs[0]->dtype())) return false;
  const Reduced r = reduced(l, node);
  const Ref out = l.result(node.output()).ref();
  l.emit(node, kernel, {r.x, out}, [=, f = kernels::row_functions()](const Run& run) {
    run.pool.parallel_for(r.rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(r.n, 1)),
                          [&](int64_t first, int64_t last) {
                            for (int64_t i = first; i < last; ++i)
                              run.at<float>(out)[i] = function(f, run.at<float>(r.x) + i * r.n, r.n);
                          });
  });
  return true;
}

bool variance(Lowering& l, const ir::Node& node) {
  const double correction = Attributes(node, l.env()).real("correction");
  return emit_rows(l, node, "variance", [correction](const RowFunctions& f, const float* x, int64_t n) {
    const float mean = f.sum(x, n) / static_cast<float>(n);
    return f.sum_squares(x, n, mean) / static_cast<float>(std::max(static_cast<double>(n) - correction, 0.0));
  });
}

bool logsumexp(Lowering& l, const ir::Node& node) {
  return emit_rows(l, node, "logsumexp", [](const RowFunctions& f, const float* x, int64_t n) {
    const float top = f.max(x, n), shift = std::isfinite(top) ? top : 0;
    constexpr int64_t tile = 256;
    float part[tile], sum = 0;
    for (int64_t i = 0; i < n; i += tile) {
      float here = 0;
      f.exp_shifted(x + i, std::min(tile, n - i), shift, part, &here);
      sum += here;
    }
    return std::log(sum) + shift;
  });
}

bool product_of(Lowering& l, const ir::Node& node) {
  return emit_rows(l, node, "product", [](const RowFunctions&, const float* x, int64_t n) {
    float out = 1;
    for (int64_t i = 0; i < n; ++i) out *= x[i];
    return out;
  });
}

// Booleans.
bool quantified(Lowering& l, const ir::Node& node, bool all) {
  if (node.output()->dtype() != DType::boolean || node.inputs[0]->dtype() != DType::boolean) return false;
  const Reduced r = reduced(l, node);
  const Ref out = l.result(node.output()).ref();
  l.emit(node, all ? "all" : "any", {r.x, out}, [=](const Run& run) {
    for (int64_t i = 0; i < r.rows; ++i) {
      const uint8_t* x = run.at<uint8_t>(r.x) + i * r.n;
      run.at<uint8_t>(out)[i] = all ? std::all_of(x, x + r.n, [](uint8_t v) { return v != 0; })
                                    : std::any_of(x, x + r.n, [](uint8_t v) { return v != 0; });
    }
  });
  return true;
}
bool all(Lowering& l, const ir::Node& node) { return quantified(l, node, true); }
bool any(Lowering& l, const ir::Node& node) { return quantified(l, node, false); }

// Sums wrap around.
bool integer_reduction(Lowering& l, const ir::Node& node, bool takes_max, bool takes_min) {
  const DType dtype = node.output()->dtype();
  if ((dtype != DType::i64 && dtype != DType::i32) || node.inputs[0]->dtype() != dtype) return false;
  const Reduced r = reduced(l, node);
  const Ref out = l.result(node.output()).ref();
  auto fold = [=](auto zero, const Run& run) {
    using T = decltype(zero);
    for (int64_t i = 0; i < r.rows; ++i) {
      const T* x = run.at<T>(r.x) + i * r.n;
      std::make_unsigned_t<T> sum = 0;
      for (int64_t k = 0; k < r.n; ++k) sum += static_cast<std::make_unsigned_t<T>>(x[k]);
      run.at<T>(out)[i] = takes_max   ? *std::max_element(x, x + r.n)
                          : takes_min ? *std::min_element(x, x + r.n)
                                      : static_cast<T>(sum);
    }
  };
  l.emit(node, "integer reduce", {r.x, out},
         [=](const Run& run) { dtype == DType::i64 ? fold(int64_t{}, run) : fold(int32_t{}, run); });
  return true;
}

}  // namespace

bool reduce_integers(Lowering& l, const ir::Node& node) {
  return integer_reduction(l, node, node.op == "max", node.op == "min");
}

Rows spread_rows() {
  return {{"variance", variance}, {"logsumexp", logsumexp}, {"product", product_of}, {"all", all}, {"any", any}};
}

}  // namespace godwit::executors::plan
