// Values of the IR as C++ expressions.
#pragma once

#include <string>
#include <string_view>

#include "base/tensor.h"
#include "ops/op.h"

namespace godwit::emit {

std::string cpp_text(std::string_view text);
std::string cpp_real(double value);
std::string cpp_int(int64_t value);           // saturates at the limits of int; the upper one is written op::end
std::string cpp_mlx_dtype(DType dtype);       // "mx::float32": what MLX holds the type as
std::string cpp_array(const Tensor& tensor);  // "array(0.5f)", "array({1, 2}, {2}, mx::int64)"
// `dim` spells integers. In a pattern a dtype is MLX's, in a call of op:: it is godwit's.
std::string cpp_attribute(const ir::Attr& attr, ops::Param::Kind kind, bool in_pattern,
                          const std::function<std::string(const ir::Dim&)>& dim);

}  // namespace godwit::emit
