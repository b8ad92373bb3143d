// Elementwise work over whole tensors in one pass: a list of instructions that is run tile by tile, every intermediate
// result staying in the first-level cache. It computes in float32; operands and result may be of narrower types.
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"
#include "kernels/elementwise.h"

namespace godwit::kernels {

struct Program {
  struct Leaf {
    DType dtype = DType::f32;                                                     // f32 f16 bf16 bool i32 i64 u8 i8
    std::vector<int64_t> strides;                                                 // over `shape`, in elements
    enum class Kind : uint8_t { linear, uniform, strided } kind = Kind::strided;  // set by prepare()
  };
  struct Instruction {
    TileFunction function;
    int out, a, b = -1, c = -1;  // registers: leaves first, then results
    float p = 0, q = 0;
  };

  std::vector<int64_t> shape;  // axes merged; the result is dense in this order
  std::vector<Leaf> leaves;
  std::vector<Instruction> instructions;
  int result = 0;     // register
  int registers = 0;  // leaves included
  DType out = DType::f32;

  // Classifies the leaves and lets registers share memory; called once.
  void prepare();

  int64_t size() const;
  // Elements [first, last) of the result, in its memory order. `leaf` holds one pointer a leaf.
  void run(const void* const* leaf, void* out, int64_t first, int64_t last) const;

 private:
  void load(const Leaf& leaf, const void* data, int64_t at, int64_t n, float* tile) const;
  std::vector<int> slot_;  // scratch tile of each register; -1: none
  int slots_ = 0;
};

// Conversions of a contiguous run of elements.
void to_float(DType from, const void* data, int64_t n, float* out);
void from_float(DType to, const float* values, int64_t n, void* out);
bool has_float_conversion(DType dtype);

}  // namespace godwit::kernels
