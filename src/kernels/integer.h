// Elementwise arithmetic of integers and booleans, and selection between elements of any type.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/dtype.h"

namespace godwit::kernels {

// n elements; strides in elements, of the operands; the result is contiguous.
using IntegerFunction = void (*)(const void* a, int64_t a_stride, const void* b, int64_t b_stride, const void* c,
                                 int64_t c_stride, void* out, int64_t n);

// By the op table's name and the type of the first operand ("cast": from and to; "where": `to` is the type of what is
// chosen). Null where there is none.
IntegerFunction integer_function(std::string_view name, DType from, DType to);

// Over all of a shape: the function is called for every innermost row.
struct IntegerLoop {
  IntegerFunction function;
  std::vector<int64_t> shape;
  std::vector<std::vector<int64_t>> strides;  // of the operands
  std::vector<size_t> item;                   // sizes of the operands' elements
  size_t out_item;
  void run(const std::byte* const* operands, std::byte* out) const;
};

}  // namespace godwit::kernels
