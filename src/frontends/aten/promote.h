// PyTorch's type promotion.
#pragma once

#include "base/dtype.h"

namespace godwit::frontends::aten {

// bool < integer < float < complex
int category(DType dtype);
// torch.promote_types
DType promote_types(DType a, DType b);

// Collects operands in PyTorch's three priorities (tensors with dimensions, 0-d tensors, numbers): a later priority
// only counts when its category is higher.
class Promotion {
 public:
  void add_tensor(DType dtype, bool has_dimensions);
  void add_number(DType dtype);  // boolean, i64, f32 (the default float) or c64
  DType result() const;

 private:
  struct Level {
    bool any = false;
    DType dtype = DType::boolean;
    void add(DType d);
  };
  Level levels_[3];
};

}  // namespace godwit::frontends::aten
