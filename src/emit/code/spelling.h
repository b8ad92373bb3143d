// Values of the IR as expressions of a language. What the languages share is here; each derives and spells.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "ops/op.h"

namespace godwit::emit {

// A string literal; both languages read the same escapes.
std::string text_literal(std::string_view text);

class Spelling {
 public:
  virtual ~Spelling() = default;

  // `dim` spells integers. In a pattern a dtype is MLX's own.
  std::string attribute(const ir::Attr& attr, ops::Param::Kind kind, bool in_pattern,
                        const std::function<std::string(const ir::Dim&)>& dim) const;
  // "float32": the name of what MLX holds the type as.
  static std::string mlx_dtype(DType dtype);

  virtual std::string array(const Tensor& tensor) const = 0;
  virtual std::string list(const std::vector<std::string>& items) const = 0;
  virtual std::string real(double value) const = 0;
  virtual std::string flag(bool value) const = 0;
  virtual std::string dtype(DType dtype, bool in_pattern) const = 0;

 protected:
  // Element `i` of a contiguous tensor.
  std::string element(const Tensor& t, int64_t i) const;
  virtual std::string single(float value) const = 0;  // of the types up to float32
  virtual std::string integer(int64_t value, DType dtype) const = 0;
  virtual std::string complex(float re, float im) const = 0;
};

// The shortest digits that read back as the value, with a point; `value` is finite.
template <class T>
std::string digits(T value) {
  std::string out = fmt::format("{}", value);
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}

}  // namespace godwit::emit
