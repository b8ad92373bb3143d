// What generated models are written with: MLX arrays, sequences of them, and the rows of the op table
// (godwit/ops.h declares one function a row, in namespace godwit::op).
#pragma once

#include <mlx/mlx.h>

#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "godwit/dtype.h"
#include "godwit/error.h"
#include "godwit/sequence.h"
#include "godwit/tensor.h"

namespace godwit {

namespace mx = mlx::core;
using mlx::core::array;

using ops::Sequence;

namespace op {

// The function of a row as an untyped pointer. Throws InternalError where the table has no such row, or one of
// another signature: header and library are then of different versions.
void (*row_function(std::string_view name, const std::type_info& signature))();

// A slice that goes to the end.
inline constexpr int end = std::numeric_limits<int>::max();

// Division and remainder that round towards minus infinity.
inline int floordiv(int a, int b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }
inline int mod(int a, int b) { return a - floordiv(a, b) * b; }

template <class F>
F* row(std::string_view name) {
  return reinterpret_cast<F*>(row_function(name, typeid(F)));
}

}  // namespace op

// The arrays of .safetensors files by name.
class Weights {
 public:
  // `aliases` maps names of the generated code to names in the files, where they differ. Throws FileError.
  explicit Weights(const std::vector<std::filesystem::path>& files, std::map<std::string, std::string> aliases = {});
  // Throws FileError where the files have no such array.
  const array& operator()(const std::string& name) const;
  // The arrays NAME.0, NAME.1, ... as far as there are any.
  std::vector<array> list(const std::string& name) const;

 private:
  std::string files_;
  std::map<std::string, std::string> aliases_;
  std::map<std::string, array, std::less<>> arrays_;
};

// Host reads: they wait for the array. 0-d or one element.
bool read_bool(const array& value);
int read_int(const array& value);  // saturates at the limits of int
std::vector<int> read_ints(const array& value);

// The largest difference over the largest magnitude of `expected`, which counts as 1e-3 at least; infinity where shapes
// or element types differ, or one has a NaN or an infinity where the other has not.
double relative_error(const array& actual, const array& expected);

}  // namespace godwit
