#include "frontends/aten/promote.h"

#include <algorithm>

namespace godwit::frontends::aten {

int category(DType dtype) {
  if (is_complex(dtype)) return 3;
  if (is_float(dtype) || is_small_float(dtype)) return 2;
  return dtype == DType::boolean ? 0 : 1;
}

namespace {

int integer_rank(DType d) {
  switch (d) {
    case DType::u8:
    case DType::i8: return 8;
    case DType::u16:
    case DType::i16: return 16;
    case DType::u32:
    case DType::i32: return 32;
    default: return 64;
  }
}

DType promote_integers(DType a, DType b) {
  const bool sa = is_signed_integer(a), sb = is_signed_integer(b);
  if (sa == sb) return integer_rank(a) >= integer_rank(b) ? a : b;
  const DType with_sign = sa ? a : b, without = sa ? b : a;
  // A signed type that holds both: the next wider one where the widths are equal.
  const int need = std::max(integer_rank(with_sign), integer_rank(without) * 2);
  if (need <= 16) return DType::i16;
  return need <= 32 ? DType::i32 : DType::i64;
}

DType promote_floats(DType a, DType b) {
  if (a == DType::f64 || b == DType::f64) return DType::f64;
  if (a == DType::f32 || b == DType::f32) return DType::f32;
  return DType::f32;  // float16 with bfloat16
}

}  // namespace

DType promote_types(DType a, DType b) {
  if (a == b) return a;
  const int ca = category(a), cb = category(b);
  if (ca == 3 || cb == 3) {
    const bool wide = a == DType::c128 || b == DType::c128 || a == DType::f64 || b == DType::f64;
    return wide ? DType::c128 : DType::c64;
  }
  if (ca != cb) return ca > cb ? a : b;
  return ca == 2 ? promote_floats(a, b) : promote_integers(a, b);
}

void Promotion::Level::add(DType d) {
  dtype = any ? promote_types(dtype, d) : d;
  any = true;
}

void Promotion::add_tensor(DType dtype, bool has_dimensions) { levels_[has_dimensions ? 0 : 1].add(dtype); }
void Promotion::add_number(DType dtype) { levels_[2].add(dtype); }

DType Promotion::result() const {
  bool any = false;
  DType out = DType::boolean;
  for (const Level& level : levels_) {
    if (!level.any) continue;
    // A float tensor with a complex number gives the complex type of the tensor's width.
    if (!any)
      out = level.dtype;
    else if (category(level.dtype) > category(out)) {
      const bool mixed = category(level.dtype) == 3 && category(out) == 2;
      out = mixed ? promote_types(out, level.dtype) : level.dtype;
    }
    any = true;
  }
  return out;
}

}  // namespace godwit::frontends::aten
