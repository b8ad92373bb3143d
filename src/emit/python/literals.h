// Values of the IR as Python expressions.
#pragma once

#include <string>

#include "emit/code/spelling.h"

namespace godwit::emit {

class PythonSpelling : public Spelling {
 public:
  std::string array(const Tensor& tensor) const override;  // "mx.array([1, 2], mx.int64)"
  std::string list(const std::vector<std::string>& items) const override;
  std::string real(double value) const override;
  std::string flag(bool value) const override { return value ? "True" : "False"; }
  std::string dtype(DType dtype, bool in_pattern) const override;  // one that MLX lacks is its name as text

 protected:
  std::string single(float value) const override;
  std::string integer(int64_t value, DType dtype) const override;
  std::string complex(float re, float im) const override;
};
inline const PythonSpelling python;

inline std::string python_mlx_dtype(DType dtype) { return "mx." + Spelling::mlx_dtype(dtype); }

}  // namespace godwit::emit
