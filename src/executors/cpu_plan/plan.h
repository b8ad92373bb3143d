// A plan: a graph at concrete shapes as a list of kernel calls over planned memory.
//
// Values live in buffers. A buffer is a constant (a weight, packed or as it is), an input or output of the call, a
// state that outlives it, or a part of the arena. A plan is immutable; what a call changes is in an Instance, so
// several threads may run one plan, each with an instance of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "executors/cpu_plan/layout.h"
#include "ir/graph.h"

namespace godwit::executors::plan {

// An address that is known once buffers have theirs.
struct Ref {
  int buffer = -1;
  int64_t offset = 0;  // bytes
};

// Where a value lies.
struct Place {
  int buffer = -1;
  Layout layout;

  Ref ref() const { return {buffer, layout.offset * static_cast<int64_t>(item_size(layout.dtype))}; }
};

struct Buffer {
  enum class Kind : uint8_t { constant, input, output, state, arena };
  Kind kind = Kind::arena;
  size_t bytes = 0;
  int index = 0;              // of the input, output or state
  Tensor constant;            // keeps its bytes alive
  size_t offset = 0;          // in the arena
  int first = -1, last = -1;  // steps that write it first and read it last
};

struct Step;
using Block = std::vector<Step>;

// What a kernel call sees of the run.
struct Run {
  std::byte* const* base;
  ThreadPool& pool;
  const std::function<void(const Step&)>* after = nullptr;  // called when a step is done

  template <class T>
  T* at(Ref r) const {
    return r.buffer < 0 ? nullptr : reinterpret_cast<T*>(base[r.buffer] + r.offset);
  }
};
void run_block(const Block& block, const Run& run);

struct Step {
  const ir::Node* node;
  std::string kernel;
  std::function<void(const Run&)> call;
  double flops = 0, bytes = 0;
};

struct Plan {
  std::vector<Buffer> buffers;
  Block steps;
  size_t arena_bytes = 0;
  std::vector<Layout> inputs, outputs, states;  // row-major
  std::vector<int> input_buffers, output_buffers, state_buffers;
  std::vector<const ir::Node*> fallbacks;  // nodes without a kernel
};

// Offsets in the arena for buffers whose lives overlap.
void place_in_arena(Plan& plan);

}  // namespace godwit::executors::plan
