// Values of the IR as C++ expressions.
#pragma once

#include <string>

#include "emit/code/spelling.h"

namespace godwit::emit {

class CppSpelling : public Spelling {
 public:
  std::string array(const Tensor& tensor) const override;  // "array(0.5f)", "array({1, 2}, {2}, mx::int64)"
  std::string list(const std::vector<std::string>& items) const override;
  std::string real(double value) const override;
  std::string flag(bool value) const override { return value ? "true" : "false"; }
  std::string dtype(DType dtype, bool in_pattern) const override;  // in a call of op:: it is godwit's

 protected:
  std::string single(float value) const override;
  std::string integer(int64_t value, DType dtype) const override;
  std::string complex(float re, float im) const override;
};
inline const CppSpelling cpp;

std::string cpp_int(int64_t value);  // saturates at the limits of int; the upper one is written op::end
inline std::string cpp_mlx_dtype(DType dtype) { return "mx::" + Spelling::mlx_dtype(dtype); }

}  // namespace godwit::emit
