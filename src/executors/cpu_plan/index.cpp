// Gathers along an axis, constant pads.
#include <cstring>

#include "base/error.h"
#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

int64_t positive(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

// Rows of `inner` bytes; indices outside of the axis are clamped, as the op's other executors do.
template <class Index>
void gather(const std::byte* x, const Index* indices, int64_t count, int64_t outer, int64_t axis, size_t inner,
            std::byte* out, ThreadPool& pool) {
  const int64_t grain = std::max<int64_t>(1, (1 << 15) / static_cast<int64_t>(std::max<size_t>(inner, 1)));
  pool.parallel_for(outer * count, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      int64_t at = static_cast<int64_t>(indices[i % count]);
      if (at < 0) at += axis;
      at = std::clamp<int64_t>(at, 0, axis - 1);
      std::memcpy(out + static_cast<size_t>(i) * inner, x + static_cast<size_t>(i / count * axis + at) * inner, inner);
    }
  });
}

bool take(Lowering& l, const ir::Node& node) {
  const DType index_type = node.inputs[1]->dtype();
  if (index_type != DType::i64 && index_type != DType::i32) return false;
  const Place x = l.row_major(node.inputs[0]), indices = l.row_major(node.inputs[1]);
  const auto axis = static_cast<size_t>(positive(Attributes(node, l.env()).integer("axis"), x.layout.rank()));
  int64_t outer = 1;
  size_t inner = item_size(x.layout.dtype);
  for (size_t i = 0; i < x.layout.shape.size(); ++i) {
    if (i < axis) outer *= x.layout.shape[i];
    if (i > axis) inner *= static_cast<size_t>(x.layout.shape[i]);
  }
  const int64_t size = x.layout.shape[axis], count = indices.layout.size();
  if (size == 0) return false;
  const Ref from = x.ref(), at = indices.ref(), out = l.result(node.output()).ref();
  l.emit(node, "take", {from, at, out}, [=](const Run& run) {
    if (index_type == DType::i64)
      gather(run.at<std::byte>(from), run.at<int64_t>(at), count, outer, size, inner, run.at<std::byte>(out), run.pool);
    else
      gather(run.at<std::byte>(from), run.at<int32_t>(at), count, outer, size, inner, run.at<std::byte>(out), run.pool);
  });
  return true;
}

// Constant pads: the value everywhere, then the operand into its place. Negative pads crop. Reflections and repetitions
// copy slices, outermost axis last, so that corners come right.
bool pad(Lowering& l, const ir::Node& node) {
  const Attributes a(node, l.env());
  const std::string& mode = a.text("mode");
  const Ints low = a.ints("low"), high = a.ints("high");
  Place x = l.place(node.inputs[0]);
  const Ints shape = x.layout.shape;
  if (x.layout.size() == 0 || l.shape(node.output()).empty()) return false;
  const bool is_constant = mode == "constant";
  for (size_t i = 0; i < low.size(); ++i) {
    if (!is_constant && (low[i] < 0 || high[i] < 0 || mode == "wrap")) return false;
    if (mode == "reflect" && (low[i] >= shape[i] || high[i] >= shape[i])) return false;
  }
  const Place out = l.result(node.output());
  if (is_constant) {
    const size_t item = item_size(out.layout.dtype);
    const Ref value = node.inputs.size() > 1 && node.inputs[1] ? l.row_major(node.inputs[1]).ref() : Ref{};
    const auto count = static_cast<size_t>(out.layout.size());
    l.emit(node, "fill", {value, out.ref()}, [=, to = out.ref()](const Run& run) {
      std::byte* p = run.at<std::byte>(to);
      if (value.buffer < 0) {
        std::memset(p, 0, count * item);
        return;
      }
      for (size_t i = 0; i < count; ++i) std::memcpy(p + i * item, run.at<std::byte>(value), item);
    });
  }
  Place inside = out;
  for (size_t i = 0; i < low.size(); ++i) {
    const int64_t skip = std::max<int64_t>(0, -low[i]), cut = std::max<int64_t>(0, -high[i]);
    x.layout.offset += skip * x.layout.strides[i];
    x.layout.shape[i] = std::max<int64_t>(0, shape[i] - skip - cut);
    inside.layout.offset += std::max<int64_t>(0, low[i]) * out.layout.strides[i];
  }
  inside.layout.shape = x.layout.shape;
  if (inside.layout.size() > 0) l.copy(node, x, inside);
  if (is_constant) return true;
  // Borders from what is there already: one axis after the other, over what the axes before have filled.
  for (size_t i = 0; i < low.size(); ++i) {
    const bool reflects = mode == "reflect";
    const int64_t stride = out.layout.strides[i];
    auto border = [&](int64_t count, int64_t to, int64_t from, int64_t step) {
      if (count == 0) return;
      Place target = inside, source = inside;
      target.layout.shape[i] = source.layout.shape[i] = count;
      target.layout.offset += to * stride, source.layout.offset += from * stride;
      source.layout.strides[i] = step * stride;
      l.copy(node, source, target);
    };
    border(low[i], -low[i], reflects ? low[i] : 0, reflects ? -1 : 0);
    border(high[i], shape[i], reflects ? shape[i] - 2 : shape[i] - 1, reflects ? -1 : 0);
    inside.layout.offset -= low[i] * stride;
    inside.layout.shape[i] += low[i] + high[i];
  }
  return true;
}

}  // namespace

Rows index_rows() { return {{"take", take}, {"pad", pad}}; }

}  // namespace godwit::executors::plan
