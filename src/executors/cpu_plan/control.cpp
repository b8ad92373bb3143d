// Choices at run time: both sides are planned, one of them runs.
#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

bool choose(Lowering& l, const ir::Node& node) {
  const Place condition = l.row_major(node.inputs.at(0));
  std::vector<Place> results;
  for (const ir::Value* v : node.outputs) {
    const DType type = kernels::is_half(v->dtype()) ? DType::f32 : v->dtype();
    results.push_back(l.moved(v, Layout::row_major(type, l.shape(v))));
  }
  std::shared_ptr<Block> sides[2];
  for (size_t side = 0; side < 2; ++side)
    sides[side] = l.block(*node.regions.at(side), [&] {
      const std::vector<ir::Value*>& outputs = node.regions[side]->outputs;
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (l.shape(outputs[i]) != results[i].layout.shape)
          throw CannotPlan{&node, "the sides of an if give different shapes"};
        l.copy(node, l.stored(outputs[i]), results[i]);
      }
    });
  l.emit(node, "if", {condition.ref()}, [=, at = condition.ref(), yes = sides[0], no = sides[1]](const Run& run) {
    run_block(*run.at<uint8_t>(at) ? *yes : *no, run);
  });
  return true;
}

}  // namespace

Rows control_rows() { return {{"if", choose}}; }

}  // namespace godwit::executors::plan
