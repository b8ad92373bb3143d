// Tensors as PyTorch programs see them: handles that may share memory and may be written in place.
//
// The IR is pure, so writing is turned into new values. A handle is a root (its own memory) or a view of another
// handle. A write through a view computes new contents for its base, up to the root; a view whose root changed since
// it was last read is derived again on the next read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "ir/graph.h"
#include "ops/builder.h"

namespace godwit::frontends::aten {

class Heap;

class TensorRef {
 public:
  // From the base's contents to the view's.
  using Forward = std::function<ir::Value*(ops::Builder&, ir::Value* base)>;
  // The base's contents with the viewed part replaced by `update` (which has the view's type).
  using Inverse = std::function<ir::Value*(ops::Builder&, ir::Value* base, ir::Value* update)>;

  TensorRef() = default;  // no tensor

  explicit operator bool() const { return cell_ != nullptr; }
  // What the tensor holds now.
  ir::Value* read() const;
  // Replaces what it holds; `value` has the tensor's type.
  void write(ir::Value* value) const;
  // A handle on a part of this tensor. Without an inverse the view cannot be written to (UsageError).
  // `contiguous`: whether the view lies in memory as a tensor of its own would (decides whether reshape aliases).
  TensorRef view(Forward forward, Inverse inverse, bool contiguous) const;

  const ir::Type& type() const { return read()->type; }
  const ir::Shape& shape() const { return read()->shape(); }
  int64_t rank() const { return read()->rank(); }
  DType dtype() const { return read()->dtype(); }
  bool is_contiguous() const;
  // The handle that owns the memory; itself for a root.
  TensorRef root() const;
  bool shares_memory(const TensorRef& other) const { return root() == other.root(); }
  bool operator==(const TensorRef& other) const { return cell_ == other.cell_; }
  // Counts the writes to the root.
  uint64_t version() const;

 private:
  friend class Heap;
  struct Cell;
  explicit TensorRef(std::shared_ptr<Cell> cell) : cell_(std::move(cell)) {}
  std::shared_ptr<Cell> cell_;
};

// Makes roots and knows in which regions values may be used.
class Heap {
 public:
  explicit Heap(ops::Builder& builder) : builder_(builder) {}
  Heap(const Heap&) = delete;

  ops::Builder& builder() { return builder_; }
  TensorRef make(ir::Value* value, bool contiguous = true);

  // While it lives, nodes are written into `graph`, a region. When it ends, every root written inside has its former
  // contents again: the caller adds after() of each written root to the region's outputs and writes the node's
  // results to the roots afterwards.
  class Region {
   public:
    Region(Heap& heap, ir::Graph& graph);
    ~Region();
    Region(const Region&) = delete;

    struct Write {
      TensorRef root;
      ir::Value* before;
      ir::Value* after() const { return root.read(); }  // while the region is open
    };
    const std::vector<Write>& writes() const { return writes_; }

   private:
    friend class Heap;
    friend class TensorRef;
    Heap& heap_;
    const ir::Graph* outer_;
    ops::Builder::Into into_;
    const ir::Graph* graph_;
    std::vector<Write> writes_;
  };

 private:
  friend class TensorRef;
  bool is_open(const ir::Graph* graph) const;

  ops::Builder& builder_;
  std::vector<Region*> regions_;
};

}  // namespace godwit::frontends::aten
