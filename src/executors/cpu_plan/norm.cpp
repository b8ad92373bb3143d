// Softmax and normalisations over contiguous rows.
#include "kernels/rows.h"

#include <cmath>

#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

// Axes in their order, but this one last.
std::vector<int> with_last(int rank, int64_t axis) {
  std::vector<int> axes;
  for (int i = 0; i < rank; ++i)
    if (i != axis) axes.push_back(i);
  axes.push_back(static_cast<int>(axis));
  return axes;
}

template <class Member>
bool softmax_rows(Lowering& l, const ir::Node& node, Member member, const char* kernel) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Ints shape = l.shape(node.output());
  if (shape.empty()) return false;
  int64_t axis = Attributes(node, l.env()).integer("axis");
  if (axis < 0) axis += static_cast<int64_t>(shape.size());
  const std::vector<int> axes = with_last(static_cast<int>(shape.size()), axis);
  const Ref x = l.ordered(node.inputs[0], axes).ref();
  const Ref out = l.result(node.output(), Layout::ordered(DType::f32, shape, axes)).ref();
  const int64_t n = shape[static_cast<size_t>(axis)], rows = n ? product(shape, 0, shape.size()) / n : 0;
  const auto function = kernels::row_functions().*member;
  l.emit(node, kernel, {x, out}, [=](const Run& run) {
    run.pool.parallel_for(rows, std::max<int64_t>(1, 8192 / n), [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) function(run.at<float>(x) + r * n, n, run.at<float>(out) + r * n);
    });
  });
  return true;
}

bool softmax(Lowering& l, const ir::Node& node) {
  return softmax_rows(l, node, &kernels::RowFunctions::softmax, "softmax");
}
bool log_softmax(Lowering& l, const ir::Node& node) {
  return softmax_rows(l, node, &kernels::RowFunctions::log_softmax, "log_softmax");
}

Ref optional_row(Lowering& l, const ir::Node& node, size_t i) {
  return i < node.inputs.size() && node.inputs[i] ? l.row_major(node.inputs[i]).ref() : Ref{};
}

bool layer_or_rms(Lowering& l, const ir::Node& node, bool layer) {
  if (!computes_in_float(node.output()->dtype())) return false;
  for (const ir::Value* v : node.inputs)
    if (v && !computes_in_float(v->dtype())) return false;
  const Attributes a(node, l.env());
  const Ints shape = l.shape(node.output());
  const auto count = static_cast<size_t>(a.integer("axes_count"));
  const int64_t n = product(shape, shape.size() - count, shape.size());
  const int64_t rows = product(shape, 0, shape.size() - count);
  const auto eps = static_cast<float>(a.real("eps"));
  const Ref x = l.row_major(node.inputs[0]).ref(), w = optional_row(l, node, 1);
  const Ref b = layer ? optional_row(l, node, 2) : Ref{};
  const Ref out = l.result(node.output()).ref();
  const kernels::RowFunctions f = kernels::row_functions();
  l.emit(node, layer ? "layer_norm" : "rms_norm", {x, w, b, out}, [=](const Run& run) {
    const float* weight = run.at<float>(w);
    const float* bias = run.at<float>(b);
    run.pool.parallel_for(
        rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(n, 1)), [&](int64_t first, int64_t last) {
          for (int64_t r = first; r < last; ++r) {
            const float* from = run.at<float>(x) + r * n;
            float* to = run.at<float>(out) + r * n;
            layer ? f.layer_norm(from, n, weight, bias, eps, to) : f.rms_norm(from, n, weight, eps, to);
          }
        });
  });
  return true;
}

bool layer_norm(Lowering& l, const ir::Node& node) { return layer_or_rms(l, node, true); }
bool rms_norm(Lowering& l, const ir::Node& node) { return layer_or_rms(l, node, false); }

// x (N, C, ...): statistics over a group's channels and all positions, then a scale and a shift a channel.
bool group_norm(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Attributes a(node, l.env());
  const Ints shape = l.shape(node.output());
  const int64_t channels = shape[1], groups = a.integer("groups"), batch = shape[0];
  const int64_t positions = product(shape, 2, shape.size()), each = channels / groups;
  const auto eps = static_cast<float>(a.real("eps"));
  const Ref x = l.row_major(node.inputs[0]).ref(), w = optional_row(l, node, 1), b = optional_row(l, node, 2);
  const Ref out = l.result(node.output()).ref();
  const kernels::RowFunctions f = kernels::row_functions();
  l.emit(node, "group_norm", {x, w, b, out}, [=](const Run& run) {
    run.pool.parallel_for(batch * groups, 1, [&](int64_t first, int64_t last) {
      for (int64_t g = first; g < last; ++g) {
        const int64_t n = each * positions;
        const float* from = run.at<float>(x) + g * n;
        float* to = run.at<float>(out) + g * n;
        const float mean = f.sum(from, n) / static_cast<float>(n);
        const float scale = 1.0f / std::sqrt(f.sum_squares(from, n, mean) / static_cast<float>(n) + eps);
        for (int64_t c = 0; c < each; ++c) {
          const int64_t channel = g % groups * each + c;
          const float by = scale * (w.buffer < 0 ? 1.0f : run.at<float>(w)[channel]);
          const float shift = (b.buffer < 0 ? 0.0f : run.at<float>(b)[channel]) - mean * by;
          f.scale_shift(from + c * positions, positions, by, shift, to + c * positions);
        }
      }
    });
  });
  return true;
}

// A scale and a shift a channel, from constants.
bool batch_norm(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Ints shape = l.shape(node.output());
  const int64_t channels = shape[1];
  auto values = [&](size_t i, std::vector<double> fallback) -> std::optional<std::vector<double>> {
    if (!node.inputs[i]) return fallback;
    const Tensor* t = l.constant(node.inputs[i]);
    if (!t) return std::nullopt;
    std::vector<double> out;
    for (int64_t c = 0; c < channels; ++c) out.push_back(t->number(c));
    return out;
  };
  const auto ones = std::vector<double>(static_cast<size_t>(channels), 1), zeros = std::vector<double>(ones.size(), 0);
  const auto weight = values(1, ones), bias = values(2, zeros), mean = values(3, zeros), variance = values(4, ones);
  if (!weight || !bias || !mean || !variance) return false;
  const double eps = Attributes(node, l.env()).real("eps");
  Tensor scale = Tensor::zeros(DType::f32, {channels}), shift = Tensor::zeros(DType::f32, {channels});
  for (size_t c = 0; c < ones.size(); ++c) {
    const double by = (*weight)[c] / std::sqrt((*variance)[c] + eps);
    reinterpret_cast<float*>(scale.mutable_data())[c] = static_cast<float>(by);
    reinterpret_cast<float*>(shift.mutable_data())[c] = static_cast<float>((*bias)[c] - (*mean)[c] * by);
  }
  const Place x = l.place(node.inputs[0]);
  std::vector<int> axes;
  Layout layout = Layout::row_major(DType::f32, shape);
  if (x.layout.is_dense(&axes)) layout = Layout::ordered(DType::f32, shape, axes);
  Ints per_channel(shape.size(), 0);
  per_channel[1] = 1;
  Loops loops = merged(shape, {layout.strides, x.layout.strides, per_channel});
  auto program = std::make_shared<kernels::Program>();
  program->shape = loops.shape;
  program->leaves = {{DType::f32, loops.strides[1]}, {DType::f32, loops.strides[2]}, {DType::f32, loops.strides[2]}};
  program->instructions = {{kernels::tile_function("multiply"), 3, 0, 1}, {kernels::tile_function("add"), 4, 3, 2}};
  program->registers = 5, program->result = 4;
  program->prepare();
  const Ref a = l.constant_ref(scale), b = l.constant_ref(shift), out = l.result(node.output(), layout).ref();
  l.emit(node, "batch_norm", {x.ref(), a, b, out}, [=, x = x.ref()](const Run& run) {
    const void* leaves[3] = {run.at<float>(x), run.at<float>(a), run.at<float>(b)};
    run.pool.parallel_for(program->size(), 1 << 14,
                          [&](int64_t first, int64_t last) { program->run(leaves, run.at<float>(out), first, last); });
  });
  return true;
}

}  // namespace

Rows norm_rows() {
  return {{"softmax", softmax},   {"log_softmax", log_softmax}, {"layer_norm", layer_norm},
          {"rms_norm", rms_norm}, {"group_norm", group_norm},   {"batch_norm", batch_norm}};
}

}  // namespace godwit::executors::plan
