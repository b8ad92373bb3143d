#include "frontends/shared_memory.h"

namespace godwit::frontends {
namespace {

// One behind the last byte.
const std::byte* end_of(const Tensor& t) {
  if (t.strides.empty()) return t.data + t.nbytes();
  int64_t last = 0;
  for (size_t i = 0; i < t.shape.size(); ++i) last += (t.shape[i] - 1) * t.strides[i];
  return t.data + static_cast<size_t>(last + 1) * item_size(t.dtype);
}

}  // namespace

bool share_memory(const Tensor& a, const Tensor& b) {
  if (!a.data || !b.data || a.size() == 0 || b.size() == 0) return false;
  return a.data < end_of(b) && b.data < end_of(a);
}

}  // namespace godwit::frontends
