// Elementwise arithmetic of integers and booleans.
#include "kernels/integer.h"

#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

bool integer(Lowering& l, const ir::Node& node) {
  const ir::Type& out_type = node.output()->type;
  const kernels::IntegerFunction function = kernels::integer_function(node.op, node.inputs[0]->dtype(), out_type.dtype);
  if (!function || node.inputs.size() > 3) return false;
  const Layout layout = Layout::row_major(out_type.dtype, l.shape(node.output()));
  std::vector<Ints> strides{layout.strides};
  kernels::IntegerLoop loop{function, {}, {}, {}, item_size(layout.dtype)};
  std::vector<Ref> operands;
  for (const ir::Value* v : node.inputs) {
    if (!v) return false;
    const Place& p = l.place(v);
    Ints s(layout.shape.size(), 0);
    for (size_t i = 0; i < p.layout.shape.size(); ++i)
      if (p.layout.shape[i] != 1) s[layout.shape.size() - p.layout.shape.size() + i] = p.layout.strides[i];
    strides.push_back(std::move(s));
    loop.item.push_back(item_size(p.layout.dtype));
    operands.push_back(p.ref());
  }
  Loops loops = merged(layout.shape, std::move(strides));
  loop.shape = std::move(loops.shape);
  loop.strides.assign(loops.strides.begin() + 1, loops.strides.end());
  const Ref out = l.result(node.output(), layout).ref();
  std::vector<Ref> touched = operands;
  touched.push_back(out);
  l.emit(node, "integer", touched, [loop, operands, out](const Run& run) {
    const std::byte* at[3] = {nullptr, nullptr, nullptr};
    for (size_t i = 0; i < operands.size(); ++i) at[i] = run.at<std::byte>(operands[i]);
    loop.run(at, run.at<std::byte>(out));
  });
  return true;
}

}  // namespace

Rows integer_rows() {
  Rows rows;
  for (std::string_view op :
       {"divide",      "trunc_divide",  "floor_divide", "remainder",   "fmod",       "sign",     "bitwise_not",
        "add",         "subtract",      "multiply",     "minimum",     "maximum",    "negative", "abs",
        "bitwise_and", "bitwise_or",    "bitwise_xor",  "equal",       "not_equal",  "less",     "less_equal",
        "greater",     "greater_equal", "logical_not",  "logical_and", "logical_or", "cast",     "where"})
    rows.push_back({op, integer});
  return rows;
}

}  // namespace godwit::executors::plan
