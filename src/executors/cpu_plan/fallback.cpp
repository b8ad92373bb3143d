// Nodes without a kernel run through MLX: operands are copied into arrays, results out of them.
#include <mlx/allocator.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <cstring>

#include "base/error.h"
#include "executors/cpu_plan/lowering.h"
#include "executors/mlx/executor.h"
#include "executors/mlx/symbols.h"
#include "ops/dtype.h"

namespace godwit::executors::plan {
namespace {

namespace mx = mlx::core;

mx::array upload(const std::byte* data, const Layout& layout) {
  mx::Shape shape;
  for (int64_t d : layout.shape) shape.push_back(static_cast<int32_t>(d));
  mx::allocator::Data buffer = mx::allocator::malloc(std::max<size_t>(layout.nbytes(), 1));
  if (layout.nbytes() > 0) std::memcpy(buffer.buffer().raw_ptr(), data, layout.nbytes());
  return mx::array(std::move(buffer), std::move(shape), ops::mlx_dtype(layout.dtype));
}

void download(const ir::Node& node, const mx::array& array, const Layout& layout, std::byte* to) {
  mx::array flat = mx::contiguous(array);
  flat.eval();
  require<InternalError>(flat.nbytes() == layout.nbytes(), "[{}] gave {} bytes, {} expected", ir::describe(node),
                         flat.nbytes(), layout.nbytes());
  if (layout.nbytes() > 0) std::memcpy(to, flat.data<char>(), layout.nbytes());
}

struct Fallback {
  const ir::Node* node;
  const ops::Op* op;
  ir::Dim::Env env;
  std::vector<std::optional<Place>> inputs;
  std::vector<Place> outputs;

  void operator()(const Run& run) const {
    std::vector<ops::Datum> data;
    data.reserve(inputs.size());
    std::vector<const ops::Datum*> operands;
    for (const auto& in : inputs) {
      if (in) data.emplace_back(upload(run.at<std::byte>(in->ref()), in->layout));
      operands.push_back(in ? &data.back() : nullptr);
    }
    try {
      const std::vector<ops::Datum> results = op->eval(*op, {*node, operands, env});
      for (size_t i = 0; i < outputs.size(); ++i)
        download(*node, std::get<mx::array>(results.at(i)), outputs[i].layout, run.at<std::byte>(outputs[i].ref()));
    } catch (const Error&) {
      throw;
    } catch (const std::exception& e) {
      std::string shapes;
      for (const ops::Datum& d : data) shapes += (shapes.empty() ? "" : ", ") + describe_array(std::get<mx::array>(d));
      raise<InternalError>("[{}] {}; operands: {}", ir::describe(*node), e.what(), shapes);
    }
  }
};

}  // namespace

void Lowering::fall_back(const ir::Node& node) {
  if (!node.regions.empty() || node.op == "bind" || node.op == "check")
    throw CannotPlan{&node, "control flow that depends on data"};
  const ops::Op* op = ops::find(node.op);
  require<UsageError>(op, "op {} is not supported ({})", node.op, ir::describe(node));
  Fallback call{&node, op, env_, {}, {}};
  std::vector<Ref> touched;
  for (const ir::Value* v : node.inputs) {
    if (!v) {
      call.inputs.emplace_back();
      continue;
    }
    shape(v);
    const bool is_wide = kernels::is_half(v->dtype()) && stored(v).layout.dtype == DType::f32;
    call.inputs.emplace_back(row_major(node, is_wide ? converted(node, stored(v), v->dtype()) : stored(v)));
    touched.push_back(call.inputs.back()->ref());
  }
  for (const ir::Value* v : node.outputs) {
    call.outputs.push_back(moved(v, Layout::row_major(v->dtype(), shape(v))));
    touched.push_back(call.outputs.back().ref());
  }
  plan_.fallbacks.push_back(&node);
  emit(node, "mlx", std::move(touched), std::move(call));
}

}  // namespace godwit::executors::plan
