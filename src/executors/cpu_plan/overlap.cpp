// Windows put back to where they were cut out, with sums where they overlap.
#include <cstring>

#include "executors/cpu_plan/rows.h"
#include "kernels/scatter.h"

namespace godwit::executors::plan {
namespace {

using kernels::Scatter;

// Zeros of this layout, with the windows added: each element of x at the strides given.
Place add_windows(Lowering& l, const ir::Node& node, const Place& x, const Ints& strides, Layout sums) {
  const Place out{l.scratch(sums.nbytes()).buffer, std::move(sums)};
  const Scatter add{DType::f32, Scatter::Reduction::add, x.layout.shape, strides, x.layout.strides, {}};
  l.emit(node, "overlap", {x.ref(), out.ref()},
         [add, bytes = out.layout.nbytes(), from = x.ref(), to = out.ref()](const Run& run) {
           std::memset(run.at<std::byte>(to), 0, bytes);
           add.run(run.at<std::byte>(from), nullptr, run.at<std::byte>(to));
         });
  return out;
}

// Sums are float32: a half type is rounded once they are complete.
void deliver(Lowering& l, const ir::Node& node, const Place& sums) {
  if (node.output()->dtype() == DType::f32) return l.alias(node.output(), sums);
  l.copy(node, sums, l.result(node.output()));
}

// (..., frames, size) -> (..., (frames - 1) * step + size)
bool overlap_add(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Place x = l.place(node.inputs[0]);
  const Layout sums = Layout::row_major(DType::f32, l.shape(node.output()));
  Ints strides = sums.strides;
  strides.back() = Attributes(node, l.env()).integer("step");
  strides.push_back(1);
  deliver(l, node, add_windows(l, node, x, strides, sums));
  return true;
}

// x (N, C * kernel..., places) -> (N, C, output_size...), pads cut off.
bool fold(Lowering& l, const ir::Node& node) {
  if (!computes_in_float(node.output()->dtype())) return false;
  const Attributes a(node, l.env());
  const Ints kernel = a.ints("kernel"), stride = a.ints("stride"), low = a.ints("low"), high = a.ints("high");
  const Ints dilation = a.ints("dilation"), shape = l.shape(node.output());
  Place x = l.row_major(node, l.place(node.inputs[0]));
  const size_t n = kernel.size();
  Ints windows{shape[0], shape[1]}, padded{shape[0], shape[1]}, places;
  for (size_t i = 0; i < n; ++i) {
    padded.push_back(shape[2 + i] + low[i] + high[i]);
    places.push_back((padded.back() - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1);
  }
  windows.insert(windows.end(), kernel.begin(), kernel.end());
  windows.insert(windows.end(), places.begin(), places.end());
  if (product(windows, 0, windows.size()) != x.layout.size() || product(places, 0, n) != x.layout.shape.back())
    return false;  // MLX's row refuses it
  const Layout sums = Layout::row_major(DType::f32, padded);
  Ints strides(sums.strides.begin(), sums.strides.begin() + 2);
  for (const Ints* steps : {&dilation, &stride})
    for (size_t i = 0; i < n; ++i) strides.push_back(sums.strides[2 + i] * (*steps)[i]);
  x.layout = Layout::row_major(DType::f32, windows);
  Place out = add_windows(l, node, x, strides, sums);
  out.layout.shape = shape;
  for (size_t i = 0; i < n; ++i) out.layout.offset += low[i] * sums.strides[2 + i];
  deliver(l, node, out);
  return true;
}

}  // namespace

Rows overlap_rows() { return {{"fold", fold}, {"overlap_add", overlap_add}}; }

}  // namespace godwit::executors::plan
