// float16 and bfloat16: kernels compute in float32. What they make stays float32, rounded to its type, until somebody
// needs it as it is: the caller, a state, MLX.
#include "kernels/half.h"

#include "executors/cpu_plan/lowering.h"

namespace godwit::executors::plan {

using kernels::is_half;

kernels::TileFunction rounding(DType half) {
  return kernels::tile_function(half == DType::f16 ? "round_f16" : "round_bf16");
}

Tensor as_float(const Tensor& tensor) {
  const Tensor from = tensor.contiguous();
  if (from.dtype == DType::f32) return from;
  Tensor out = Tensor::zeros(DType::f32, from.shape);
  kernels::widen(from.dtype, from.data, from.size(), reinterpret_cast<float*>(out.mutable_data()));
  return out;
}

const Place& Lowering::place(const ir::Value* value) {
  const Place& from = stored(value);
  if (!is_half(from.layout.dtype)) return from;
  if (auto found = widened_.find(value); found != widened_.end()) return found->second;
  const Tensor* tensor = constant(value);
  if (!tensor) {
    static const ir::Node unnamed{.op = "convert"};
    Place wide = converted(value->producer ? *value->producer : unnamed, from, DType::f32);
    return widened_[value] = std::move(wide);
  }
  const Ref ref = packed(value, "float32", [tensor] { return as_float(*tensor); });
  return widened_[value] = {ref.buffer, Layout::row_major(DType::f32, tensor->shape)};
}

// In a new buffer, in the order of the source where that is dense. What is repeated stays so.
Place Lowering::converted(const ir::Node& node, const Place& from, DType type) {
  Place once = from;
  for (size_t i = 0; i < once.layout.shape.size(); ++i)
    if (once.layout.strides[i] == 0 && once.layout.shape[i] > 1) once.layout.shape[i] = 1;
  Layout layout = Layout::row_major(type, once.layout.shape);
  std::vector<int> axes;
  if (layout.size() > 0 && once.layout.is_dense(&axes)) layout = Layout::ordered(type, layout.shape, axes);
  Place to{scratch(layout.nbytes()).buffer, std::move(layout)};
  convert(node, once, to);
  for (size_t i = 0; i < to.layout.shape.size(); ++i)
    if (to.layout.shape[i] != from.layout.shape[i]) to.layout.strides[i] = 0;
  to.layout.shape = from.layout.shape;
  return to;
}

// `to` is dense.
void Lowering::convert(const ir::Node& node, const Place& from, const Place& to) {
  Loops loops = merged(to.layout.shape, {to.layout.strides, from.layout.strides});
  auto program = std::make_shared<kernels::Program>();
  program->shape = std::move(loops.shape);
  program->leaves = {{from.layout.dtype, std::move(loops.strides[1])}};
  program->registers = 1, program->result = 0, program->out = to.layout.dtype;
  program->prepare();
  emit(node, "convert", {from.ref(), to.ref()}, [program, from = from.ref(), to = to.ref()](const Run& run) {
    const void* leaf = run.at<std::byte>(from);
    run.pool.parallel_for(program->size(), 1 << 14, [&](int64_t first, int64_t last) {
      program->run(&leaf, run.at<std::byte>(to), first, last);
    });
  });
}

// What the row has just written, to the values that its types have.
void Lowering::round_results(const ir::Node& node) {
  for (const ir::Value* value : std::exchange(unrounded_, {})) {
    const Place at = places_.at(value);
    if (!read_.contains(value)) {
      places_[value] = converted(node, at, value->dtype());
      continue;
    }
    emit(node, "round", {at.ref()},
         [round = rounding(value->dtype()), at = at.ref(), size = at.layout.size()](const Run& run) {
           run.pool.parallel_for(size, 1 << 14, [&](int64_t first, int64_t last) {
             float* x = run.at<float>(at) + first;
             round(x, x, nullptr, nullptr, last - first, 0, 0);
           });
         });
  }
}

// The rounding of a product that no elementwise work follows.
std::optional<Finish> Lowering::rounding_finish(const ir::Node& node, const Layout& layout) {
  if (!is_half(node.output()->dtype())) return std::nullopt;
  Finish finish;
  auto program = std::make_shared<kernels::Program>();
  program->shape = {layout.size()};
  program->leaves = {{DType::f32, {1}}};
  program->instructions = {{rounding(node.output()->dtype()), 1, 0}};
  program->registers = 2, program->result = 1;
  program->prepare();
  finish.program = std::move(program);
  finish.leaves = {{}};
  rounded_.insert(node.output());
  return finish;
}

}  // namespace godwit::executors::plan
