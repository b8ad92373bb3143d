// Identifiers for generated code.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace godwit::emit {

// Letters, digits and single underscores, not starting with a digit: "encoder/layer.0" -> "encoder_layer_0".
std::string identifier(std::string_view text);
// "MiniLM v2.onnx" -> "MiniLmV2Onnx"
std::string class_identifier(std::string_view text);

// Hands out each name once.
class Namer {
 public:
  enum class Kind : uint8_t { locals, members };
  // Keywords of C++ and Python, and what generated code uses itself, are taken; for members also what classes inherit.
  explicit Namer(Kind kind = Kind::locals);
  void reserve(const std::string& name) { taken_.insert(name); }
  std::string unique(const std::string& wanted);  // "x", "x_2", "x_3"

 private:
  std::set<std::string> taken_;
};

}  // namespace godwit::emit
