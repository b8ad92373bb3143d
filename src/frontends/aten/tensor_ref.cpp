#include "frontends/aten/tensor_ref.h"

#include <algorithm>

#include "base/error.h"

namespace godwit::frontends::aten {

struct TensorRef::Cell {
  Heap* heap = nullptr;
  ir::Value* value = nullptr;        // a root's contents; a view's as last derived
  uint64_t version = 0;              // root: number of writes; view: the root's version that `value` belongs to
  const ir::Graph* graph = nullptr;  // where `value` was derived
  bool contiguous = true;
  std::shared_ptr<Cell> base;
  Forward forward;
  Inverse inverse;

  Cell& root() {
    Cell* c = this;
    while (c->base) c = c->base.get();
    return *c;
  }
};

TensorRef Heap::make(ir::Value* value, bool contiguous) {
  auto cell = std::make_shared<TensorRef::Cell>();
  cell->heap = this;
  cell->value = value;
  cell->contiguous = contiguous;
  cell->graph = &builder_.graph();
  return TensorRef(std::move(cell));
}

bool Heap::is_open(const ir::Graph* graph) const {
  return graph == &builder_.graph() || std::any_of(regions_.begin(), regions_.end(), [&](const Region* r) {
           return r->graph_ == graph || r->outer_ == graph;
         });
}

ir::Value* TensorRef::read() const {
  require<InternalError>(cell_ != nullptr, "an absent tensor was read");
  if (!cell_->base) return cell_->value;
  // Views of views form long chains in some programs: walk instead of recursing.
  std::vector<Cell*> stale;
  Cell* at = cell_.get();
  const uint64_t version = at->root().version;
  for (; at->base && (at->version != version || !at->heap->is_open(at->graph)); at = at->base.get())
    stale.push_back(at);
  for (; !stale.empty(); stale.pop_back()) {
    Cell* view = stale.back();
    view->value = view->forward(view->heap->builder(), view->base->value);
    view->version = version;
    view->graph = &view->heap->builder().graph();
  }
  return cell_->value;
}

void TensorRef::write(ir::Value* value) const {
  require<InternalError>(cell_ != nullptr, "an absent tensor was written");
  std::vector<std::pair<Cell*, ir::Value*>> path;
  Cell* at = cell_.get();
  for (; at->base; at = at->base.get()) {
    require<UsageError>(static_cast<bool>(at->inverse), "a view of this kind cannot be written in place");
    ir::Value* base = TensorRef(at->base).read();
    path.emplace_back(at, value);
    value = at->inverse(at->heap->builder(), base, value);
  }
  if (!at->heap->regions_.empty()) {
    // Every open region remembers what the root held when it was entered.
    for (Heap::Region* region : at->heap->regions_) {
      auto same = [&](const Heap::Region::Write& w) { return w.root.cell_.get() == at; };
      if (std::any_of(region->writes_.begin(), region->writes_.end(), same)) continue;
      region->writes_.push_back({root(), at->value});
    }
  }
  at->value = value;
  ++at->version;
  for (auto& [view, contents] : path) {
    view->value = contents;
    view->version = at->version;
    view->graph = &view->heap->builder().graph();
  }
}

TensorRef TensorRef::view(Forward forward, Inverse inverse, bool contiguous) const {
  auto cell = std::make_shared<Cell>();
  cell->heap = cell_->heap;
  cell->base = cell_;
  cell->value = forward(cell_->heap->builder(), read());
  cell->version = cell_->root().version;
  cell->graph = &cell_->heap->builder().graph();
  cell->contiguous = contiguous;
  cell->forward = std::move(forward);
  cell->inverse = std::move(inverse);
  return TensorRef(std::move(cell));
}

bool TensorRef::is_contiguous() const { return cell_->contiguous; }
uint64_t TensorRef::version() const { return cell_->root().version; }

TensorRef TensorRef::root() const {
  std::shared_ptr<Cell> c = cell_;
  while (c && c->base) c = c->base;
  return TensorRef(std::move(c));
}

Heap::Region::Region(Heap& heap, ir::Graph& graph)
    : heap_(heap), outer_(&heap.builder_.graph()), into_(heap.builder_, graph), graph_(&graph) {
  heap.regions_.push_back(this);
}

Heap::Region::~Region() {
  std::erase(heap_.regions_, this);
  for (const Write& write : writes_) {
    write.root.cell_->value = write.before;
    ++write.root.cell_->version;
  }
}

}  // namespace godwit::frontends::aten
