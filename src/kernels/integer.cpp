#include "kernels/integer.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

namespace godwit::kernels {
namespace {

template <class In, class Out, class F>
struct Binary {
  static void call(const void* a, int64_t as, const void* b, int64_t bs, const void*, int64_t, void* out, int64_t n) {
    const In* x = static_cast<const In*>(a);
    const In* y = static_cast<const In*>(b);
    Out* z = static_cast<Out*>(out);
    for (int64_t i = 0; i < n; ++i) z[i] = static_cast<Out>(F()(x[i * as], y ? y[i * bs] : In()));
  }
};

template <class T>
using Unsigned = std::conditional_t<std::is_same_v<T, int64_t>, uint64_t,
                                    std::conditional_t<std::is_same_v<T, int32_t>, uint32_t, T>>;

// Overflow wraps around, as it does everywhere else.
struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
  }
};
struct Subtract {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b));
  }
};
struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Unsigned<T>>(a) * static_cast<Unsigned<T>>(b));
  }
};
struct Minimum {
  template <class T>
  T operator()(T a, T b) const {
    return std::min(a, b);
  }
};
struct Maximum {
  template <class T>
  T operator()(T a, T b) const {
    return std::max(a, b);
  }
};
struct Negative {
  template <class T>
  T operator()(T a, T) const {
    return Subtract()(T(), a);
  }
};
struct Abs {
  template <class T>
  T operator()(T a, T b) const {
    return a < T(1) && a != T(0) ? Negative()(a, b) : a;
  }
};
// Division by zero gives 0, the smallest number by -1 wraps around.
struct FloorDivide {
  template <class T>
  T operator()(T a, T b) const {
    if (b == T(0)) return T(0);
    if (std::is_signed_v<T> && b == T(-1)) return Negative()(a, b);
    return static_cast<T>(a / b - (a % b != 0 && (a < T(0)) != (b < T(0)) ? 1 : 0));
  }
};
struct TruncDivide {
  template <class T>
  T operator()(T a, T b) const {
    if (b == T(0)) return T(0);
    return std::is_signed_v<T> && b == T(-1) ? Negative()(a, b) : static_cast<T>(a / b);
  }
};
// What the quotient leaves of a.
template <class Quotient>
struct Rest {
  template <class T>
  T operator()(T a, T b) const {
    return Subtract()(a, Multiply()(Quotient()(a, b), b));
  }
};
struct Sign {
  template <class T>
  T operator()(T a, T) const {
    return a > T(0) ? T(1) : a < T(0) ? T(-1) : T(0);
  }
};
struct BitNot {
  template <class T>
  T operator()(T a, T) const {
    return static_cast<T>(~a);
  }
};
struct Not {
  template <class T>
  bool operator()(T a, T) const {
    return !a;
  }
};
struct BitAnd {
  template <class T>
  T operator()(T a, T b) const {
    return a & b;
  }
};
struct BitOr {
  template <class T>
  T operator()(T a, T b) const {
    return a | b;
  }
};
struct BitXor {
  template <class T>
  T operator()(T a, T b) const {
    return a ^ b;
  }
};
struct And {
  template <class T>
  bool operator()(T a, T b) const {
    return a && b;
  }
};
struct Or {
  template <class T>
  bool operator()(T a, T b) const {
    return a || b;
  }
};

template <class T>
IntegerFunction arithmetic(std::string_view name) {
  static const std::map<std::string_view, IntegerFunction> table = {
      {"add", Binary<T, T, Add>::call},
      {"subtract", Binary<T, T, Subtract>::call},
      {"multiply", Binary<T, T, Multiply>::call},
      {"minimum", Binary<T, T, Minimum>::call},
      {"maximum", Binary<T, T, Maximum>::call},
      {"negative", Binary<T, T, Negative>::call},
      {"abs", Binary<T, T, Abs>::call},
      {"bitwise_and", Binary<T, T, BitAnd>::call},
      {"bitwise_or", Binary<T, T, BitOr>::call},
      {"bitwise_xor", Binary<T, T, BitXor>::call},
      {"equal", Binary<T, bool, std::equal_to<T>>::call},
      {"not_equal", Binary<T, bool, std::not_equal_to<T>>::call},
      {"less", Binary<T, bool, std::less<T>>::call},
      {"less_equal", Binary<T, bool, std::less_equal<T>>::call},
      {"greater", Binary<T, bool, std::greater<T>>::call},
      {"greater_equal", Binary<T, bool, std::greater_equal<T>>::call},
      {"logical_not", Binary<T, bool, Not>::call},
      {"logical_and", Binary<T, bool, And>::call},
      {"logical_or", Binary<T, bool, Or>::call}};
  auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

template <class T>
IntegerFunction number_arithmetic(std::string_view name) {
  static const std::map<std::string_view, IntegerFunction> table = {
      {"divide", Binary<T, T, TruncDivide>::call},       {"trunc_divide", Binary<T, T, TruncDivide>::call},
      {"floor_divide", Binary<T, T, FloorDivide>::call}, {"remainder", Binary<T, T, Rest<FloorDivide>>::call},
      {"fmod", Binary<T, T, Rest<TruncDivide>>::call},   {"sign", Binary<T, T, Sign>::call},
      {"bitwise_not", Binary<T, T, BitNot>::call}};
  auto found = table.find(name);
  return found == table.end() ? arithmetic<T>(name) : found->second;
}

template <class From, class To>
void convert(const void* a, int64_t as, const void*, int64_t, const void*, int64_t, void* out, int64_t n) {
  const From* x = static_cast<const From*>(a);
  To* z = static_cast<To*>(out);
  for (int64_t i = 0; i < n; ++i) z[i] = static_cast<To>(x[i * as]);
}

template <class From>
IntegerFunction conversion(DType to) {
  switch (to) {
    case DType::boolean: return convert<From, bool>;
    case DType::u8: return convert<From, uint8_t>;
    case DType::i8: return convert<From, int8_t>;
    case DType::i32: return convert<From, int32_t>;
    case DType::i64: return convert<From, int64_t>;
    default: return nullptr;
  }
}

template <class T>
void choose(const void* a, int64_t as, const void* b, int64_t bs, const void* c, int64_t cs, void* out, int64_t n) {
  const auto* condition = static_cast<const uint8_t*>(a);
  const T* x = static_cast<const T*>(b);
  const T* y = static_cast<const T*>(c);
  T* z = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) z[i] = condition[i * as] ? x[i * bs] : y[i * cs];
}

}  // namespace

IntegerFunction integer_function(std::string_view name, DType from, DType to) {
  if (name == "where") {
    switch (item_size(to)) {
      case 1: return choose<uint8_t>;
      case 2: return choose<uint16_t>;
      case 4: return choose<uint32_t>;
      default: return item_size(to) == 8 ? choose<uint64_t> : nullptr;
    }
  }
  const bool converts = name == "cast";
  switch (from) {
    case DType::boolean:
      if (converts) return conversion<bool>(to);
      if (name.starts_with("bitwise")) return arithmetic<bool>(name);
      return name.starts_with("logical") || name.find("equal") != name.npos ? arithmetic<bool>(name) : nullptr;
    case DType::u8: return converts ? conversion<uint8_t>(to) : nullptr;
    case DType::i8: return converts ? conversion<int8_t>(to) : nullptr;
    case DType::i32: return converts ? conversion<int32_t>(to) : number_arithmetic<int32_t>(name);
    case DType::i64: return converts ? conversion<int64_t>(to) : number_arithmetic<int64_t>(name);
    default: return nullptr;
  }
}

void IntegerLoop::run(const std::byte* const* operands, std::byte* out) const {
  const size_t rank = shape.size();
  const int64_t inner = shape[rank - 1];
  const int64_t rows = std::accumulate(shape.begin(), shape.end() - 1, int64_t{1}, std::multiplies<>());
  for (int64_t row = 0; row < rows && inner > 0; ++row) {
    const void* at[3] = {nullptr, nullptr, nullptr};
    int64_t step[3] = {0, 0, 0};
    for (size_t k = 0; k < strides.size(); ++k) {
      int64_t offset = 0, rest = row;
      for (size_t axis = rank - 1; axis-- > 0; rest /= shape[axis]) offset += rest % shape[axis] * strides[k][axis];
      at[k] = operands[k] + offset * static_cast<int64_t>(item[k]);
      step[k] = strides[k][rank - 1];
    }
    function(at[0], step[0], at[1], step[1], at[2], step[2], out + static_cast<size_t>(row * inner) * out_item, inner);
  }
}

}  // namespace godwit::kernels
