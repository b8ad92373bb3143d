// Views that more than one family makes.
#pragma once

#include "frontends/aten/context.h"

namespace godwit::frontends::aten {

TensorRef permuted(const TensorRef& t, std::vector<int64_t> axes);
TensorRef reshaped(const TensorRef& t, const ir::Dims& shape);
TensorRef sliced(const TensorRef& t, int64_t axis, const ir::Dim& start, const ir::Dim& stop, const ir::Dim& step = 1);
TensorRef selected(const TensorRef& t, int64_t axis, const ir::Dim& index);

// A size list with at most one -1, for `count` elements.
ir::Dims resolved_shape(const Context& c, ir::Dims shape, const ir::Shape& from);

}  // namespace godwit::frontends::aten
