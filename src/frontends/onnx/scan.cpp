// Scan: a loop over slices of its inputs.
#include "frontends/onnx/regions.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

struct ScanPlan {
  const file::Graph* body;
  size_t states, scans;
  std::vector<int64_t> in_axes, in_directions, out_axes, out_directions;
};

std::vector<int64_t> list(const Call& c, const char* name, size_t n) {
  std::vector<int64_t> out = c.integers(name, std::vector<int64_t>(n, 0));
  if (out.size() != n) c.fail("attribute {} has {} entries for {}", name, out.size(), n);
  return out;
}

// States and scanned inputs (without a batch) to final states and scanned outputs.
Values run(Call& c, const ScanPlan& p, const Values& states, const Values& inputs) {
  const ir::Dim count = c.size(inputs.at(0), c.axis(p.in_axes[0], inputs[0]->rank()));
  Values out = write_loop(
      c, c.b.dim(count), nullptr, states,
      [&](const Values& arguments) {
        Values inner(arguments.begin() + 1, arguments.end());
        for (size_t i = 0; i < inputs.size(); ++i) {
          Value* at = arguments[0];
          if (p.in_directions[i]) at = subtract(c, c.b.dim(count - 1), at);
          inner.push_back(c.op("take", {inputs[i], at}, {{"axis", ir::Dim(c.axis(p.in_axes[i], inputs[i]->rank()))}}));
        }
        Values made = c.importer.inline_graph(*p.body, c.scope, inner);
        made.insert(made.begin(), c.b.scalar(DType::boolean, 1));
        return made;
      },
      count);
  for (size_t k = p.states; k < out.size(); ++k) {
    if (p.out_directions[k - p.states]) out[k] = c.op("flip", {out[k]}, {{"axes", ir::Dims{0}}});
    const int64_t axis = c.axis(p.out_axes[k - p.states], out[k]->rank());
    if (axis == 0) continue;
    std::vector<int64_t> order;
    for (int64_t i = 1; i < out[k]->rank(); ++i) order.push_back(i);
    order.insert(order.begin() + axis, 0);
    out[k] = transpose(c, out[k], order);
  }
  return out;
}

Values scan(Call& c) {
  const bool batched = c.opset < 9;
  ScanPlan p{&c.graph("body"), 0, 0, {}, {}, {}, {}};
  const size_t first = batched ? 1 : 0, given = c.count() - std::min(first, c.count());
  const int64_t scans = c.integer("num_scan_inputs", 0);
  if (scans <= 0 || static_cast<size_t>(scans) > given) c.fail("{} scanned inputs of {}", scans, given);
  p.scans = static_cast<size_t>(scans), p.states = given - p.scans;
  if (p.body->outputs.size() < p.states)
    c.fail("the body has {} outputs for {} states", p.body->outputs.size(), p.states);
  const size_t outputs = p.body->outputs.size() - p.states;
  p.in_axes = list(c, "scan_input_axes", p.scans);
  p.in_directions = list(c, batched ? "directions" : "scan_input_directions", p.scans);
  p.out_axes = list(c, "scan_output_axes", outputs), p.out_directions = list(c, "scan_output_directions", outputs);
  Values states, inputs;
  for (size_t i = 0; i < given; ++i) (i < p.states ? states : inputs).push_back(c.in(first + i));
  if (!batched) return run(c, p, states, inputs);
  if (c.has(0)) c.fail("lengths per sequence are not supported");
  // Opset 8: every value has a batch axis in front; one scan per entry.
  return write_loop(c, c.b.dim(c.shape(inputs[0], 1)[0]), nullptr, {}, [&](const Values& arguments) {
    auto entry = [&](const Values& values) {
      Values out;
      for (Value* v : values) out.push_back(c.op("take", {v, arguments[0]}, {{"axis", ir::Dim(0)}}));
      return out;
    };
    Values made = run(c, p, entry(states), entry(inputs));
    made.insert(made.begin(), c.b.scalar(DType::boolean, 1));
    return made;
  });
}

}  // namespace

Rows scan_rows() { return {{"Scan", scan}}; }

}  // namespace godwit::frontends::onnx
