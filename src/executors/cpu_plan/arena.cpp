#include <algorithm>
#include <numeric>

#include "executors/cpu_plan/plan.h"

namespace godwit::executors::plan {

// Large buffers first, each at the lowest offset that no buffer of overlapping life takes.
void place_in_arena(Plan& plan) {
  constexpr size_t alignment = 64;
  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(plan.buffers.size()); ++i)
    if (plan.buffers[i].kind == Buffer::Kind::arena && plan.buffers[i].first >= 0) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });
  std::vector<int> placed;  // by offset
  for (int i : order) {
    Buffer& buffer = plan.buffers[i];
    const size_t size = (buffer.bytes + alignment - 1) / alignment * alignment;
    size_t at = 0;
    for (int k : placed) {
      const Buffer& other = plan.buffers[k];
      if (other.last < buffer.first || buffer.last < other.first) continue;
      if (at + size <= other.offset) break;
      at = std::max(at, other.offset + (other.bytes + alignment - 1) / alignment * alignment);
    }
    buffer.offset = at;
    plan.arena_bytes = std::max(plan.arena_bytes, at + size);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                   [&](int a, int b) { return plan.buffers[a].offset < plan.buffers[b].offset; }),
                  i);
  }
}

void run_block(const Block& block, const Run& run) {
  for (const Step& step : block) {
    step.call(run);
    if (run.after) (*run.after)(step);
  }
}

}  // namespace godwit::executors::plan
