// Values of the IR as Python expressions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/tensor.h"
#include "ops/op.h"

namespace godwit::emit {

std::string python_text(std::string_view text);
std::string python_mlx_dtype(DType dtype);       // "mx.float32": what MLX holds the type as
std::string python_array(const Tensor& tensor);  // "mx.array([1, 2], mx.int64)"
// `dim` spells integers. A dtype that MLX lacks is its name as text, in a pattern what MLX holds it as.
std::string python_attribute(const ir::Attr& attr, ops::Param::Kind kind, bool in_pattern,
                             const std::function<std::string(const ir::Dim&)>& dim);

}  // namespace godwit::emit
