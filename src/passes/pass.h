// Passes rewrite graphs. Each is one function with one purpose; pipeline() lists them in order, with the reason.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace godwit::passes {

struct Pass {
  std::string_view name;
  bool (*run)(ir::Module& module, ir::Graph& graph);  // true: something changed
  std::string_view purpose;
};

const std::vector<Pass>& pipeline();

// Called after every pass that changed something (`--dump-after PASS`).
using Observer = std::function<void(const Pass&, const ir::Graph&)>;

// Runs the pipeline over every graph of the module, with clean-up (dead code, common subexpressions) after each pass
// that changed something; removes weights that no graph reads any more.
void optimize(ir::Module& module, const Observer& observer = {});

// --- the passes, each in the file of its name ---------------------------------------------------------------------
bool remove_dead_code(ir::Module&, ir::Graph&);
bool merge_common_subexpressions(ir::Module&, ir::Graph&);
bool remove_identities(ir::Module&, ir::Graph&);
bool fold_constants(ir::Module&, ir::Graph&);
bool fold_shapes(ir::Module&, ir::Graph&);
bool resolve_conditions(ir::Module&, ir::Graph&);
bool fold_batch_norm(ir::Module&, ir::Graph&);
bool cancel_transposes(ir::Module&, ir::Graph&);
bool fuse_patterns(ir::Module&, ir::Graph&);
bool fuse_linear(ir::Module&, ir::Graph&);
bool fuse_attention(ir::Module&, ir::Graph&);

}  // namespace godwit::passes
