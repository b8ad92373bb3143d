// Loops as regions: shared by Loop, Scan, SequenceMap and linear attention.
#pragma once

#include <functional>

#include "frontends/onnx/common.h"

namespace godwit::frontends::onnx {

// Writes the body for (i, carried...) and gives (condition, carried..., scanned...). It may be called more than once.
using LoopBody = std::function<Values(const Values& arguments)>;

// A `loop` node: the final carried values, then the scanned ones stacked on a new axis 0 (of `iterations` entries where
// that is known).
Values write_loop(Call& c, Value* trips, Value* condition, const Values& carried, const LoopBody& body,
                  const std::optional<ir::Dim>& iterations = std::nullopt);

// The type that both are instances of: unequal dimensions are unknown. None when dtype, rank or kind differ.
std::optional<ir::Type> common_type(const ir::Type& a, const ir::Type& b);

}  // namespace godwit::frontends::onnx
