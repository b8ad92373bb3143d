// The op table: what an op is called, what it takes, what it gives, and how MLX computes it.
//
// One op is one row (docs/add-an-op.md). The parameter kinds of a row are read off the C++ function that computes
// it, so signature, argument checking, execution and generated code all follow from that one function:
//
//   const array&                    operand                     int, const Ints&      integer(s), may be symbolic
//   const std::optional<array>&     operand that may be absent  double, const Reals&  real(s)
//   const std::vector<array>&       any number of operands      bool, const std::string&, DType, const Tensor&
//   const Sequence&                 list-valued operand
#pragma once

#include <mlx/array.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <variant>
#include <vector>

#include "base/error.h"
#include "godwit/sequence.h"
#include "ir/graph.h"

namespace godwit::ops {

using mlx::core::array;
using Ints = std::vector<int>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;

// What a value is at run time.
using Datum = std::variant<array, Sequence>;

struct Param {
  enum class Kind : uint8_t {
    operand,
    optional_operand,
    operands,
    sequence,  // operands, in the order of Node::inputs
    integer,
    integers,
    real,
    reals,
    flag,
    text,
    texts,
    dtype,
    tensor,  // attributes
  };
  std::string name;
  Kind kind;
  std::optional<ir::Attr> fallback;  // an attribute's default; unset: required

  bool is_operand() const { return kind <= Kind::sequence; }
};

// One evaluation of one node.
struct Call {
  const ir::Node& node;
  const std::vector<const Datum*>& inputs;  // parallel to node.inputs, null where absent
  const ir::Dim::Env& env;                  // values of the symbols
};

class InferContext;
using Infer = std::vector<ir::Type> (*)(InferContext&);
using Eval = std::function<std::vector<Datum>(const struct Op&, const Call&)>;

struct Op {
  std::string name;
  std::vector<Param> params;
  Infer infer = nullptr;
  Eval eval;
  std::string cpp_pattern;     // empty: ops::NAME(every parameter in order)
  std::string python_pattern;  // empty: ops.NAME(operands..., attribute=value...)
  bool is_pure = true;         // false: never folded, merged (random numbers)
  enum class Result : uint8_t { array, sequence, arrays } result = Result::array;
  void (*function)() = nullptr;  // the row's function, of the type that `signature` tells
  const std::type_info* signature = nullptr;

  Op&& cpp(std::string pattern) && {
    cpp_pattern = std::move(pattern);
    return std::move(*this);
  }
  Op&& python(std::string pattern) && {
    python_pattern = std::move(pattern);
    return std::move(*this);
  }
  Op&& impure() && {
    is_pure = false;
    return std::move(*this);
  }

  const Param* find(std::string_view param) const;
};

using Rows = std::vector<Op>;

// The row of an op; null where the table has none.
const Op* find(std::string_view name);
// The row of an op; throws InternalError where the table has none.
const Op& get(std::string_view name);
// All rows, by family.
const std::vector<const Op*>& all();

// An attribute of a node, or the row's default. Throws InternalError where it is missing or of another kind.
const ir::Attr& attribute(const ir::Node& node, const Param& param);

// ---------------------------------------------------------------------------------------------------------------
// How a row is made from a function: row("softmax", &softmax, "x, axis=-1", infer::same)
// ---------------------------------------------------------------------------------------------------------------
namespace detail {

int to_int(const ir::Dim& dim, const ir::Dim::Env& env);  // saturates at the limits of int

inline const array& tensor_of(const Call& call, size_t i) { return std::get<array>(*call.inputs.at(i)); }

template <class T>
struct Arg;

template <>
struct Arg<const array&> {
  static constexpr auto kind = Param::Kind::operand;
  static const array& get(const Call& call, const Param&, size_t& next) { return tensor_of(call, next++); }
};
template <>
struct Arg<const std::optional<array>&> {
  static constexpr auto kind = Param::Kind::optional_operand;
  static std::optional<array> get(const Call& call, const Param&, size_t& next) {
    size_t i = next++;
    if (i >= call.inputs.size() || !call.inputs[i]) return std::nullopt;
    return tensor_of(call, i);
  }
};
template <>
struct Arg<const std::vector<array>&> {
  static constexpr auto kind = Param::Kind::operands;
  static std::vector<array> get(const Call& call, const Param&, size_t& next) {
    std::vector<array> rest;
    while (next < call.inputs.size()) rest.push_back(tensor_of(call, next++));
    return rest;
  }
};
template <>
struct Arg<const Sequence&> {
  static constexpr auto kind = Param::Kind::sequence;
  static const Sequence& get(const Call& call, const Param&, size_t& next) {
    return std::get<Sequence>(*call.inputs.at(next++));
  }
};
template <>
struct Arg<int> {
  static constexpr auto kind = Param::Kind::integer;
  static int get(const Call& call, const Param& p, size_t&) {
    return to_int(std::get<ir::Dim>(attribute(call.node, p)), call.env);
  }
};
template <>
struct Arg<const Ints&> {
  static constexpr auto kind = Param::Kind::integers;
  static Ints get(const Call& call, const Param& p, size_t&) {
    Ints out;
    for (const ir::Dim& d : std::get<ir::Dims>(attribute(call.node, p))) out.push_back(to_int(d, call.env));
    return out;
  }
};
template <class T, class Stored, Param::Kind K>
struct Plain {
  static constexpr auto kind = K;
  static const Stored& get(const Call& call, const Param& p, size_t&) {
    return std::get<Stored>(attribute(call.node, p));
  }
};
template <>
struct Arg<double> : Plain<double, double, Param::Kind::real> {};
template <>
struct Arg<bool> : Plain<bool, bool, Param::Kind::flag> {};
template <>
struct Arg<DType> : Plain<DType, DType, Param::Kind::dtype> {};
template <>
struct Arg<const Reals&> : Plain<Reals, Reals, Param::Kind::reals> {};
template <>
struct Arg<const std::string&> : Plain<std::string, std::string, Param::Kind::text> {};
template <>
struct Arg<const Texts&> : Plain<Texts, Texts, Param::Kind::texts> {};
template <>
struct Arg<const Tensor&> : Plain<Tensor, Tensor, Param::Kind::tensor> {};

inline std::vector<Datum> results(array a) { return {Datum(std::move(a))}; }
inline std::vector<Datum> results(Sequence s) { return {Datum(std::move(s))}; }
inline std::vector<Datum> results(std::vector<array> list) {
  return {std::make_move_iterator(list.begin()), std::make_move_iterator(list.end())};
}

// Splits "x, w, b?, groups=1" and pairs each name with its kind.
std::vector<Param> parse_signature(std::string_view op, std::string_view text, std::vector<Param::Kind> kinds);

template <class R, class... A, size_t... I>
Eval evaluator(R (*function)(A...), std::index_sequence<I...>) {
  return [function](const Op& op, const Call& call) {
    size_t next = 0;
    // Braces order the evaluation: operands are consumed from left to right.
    std::tuple<decltype(Arg<A>::get(call, op.params[I], next))...> args{Arg<A>::get(call, op.params[I], next)...};
    return results(std::apply(function, std::move(args)));
  };
}

}  // namespace detail

template <class R>
constexpr Op::Result result_of() {
  if (std::is_same_v<R, Sequence>) return Op::Result::sequence;
  return std::is_same_v<R, array> ? Op::Result::array : Op::Result::arrays;
}

template <class R, class... A>
Op row(std::string name, R (*function)(A...), std::string_view signature, Infer infer) {
  Op op;
  op.params = detail::parse_signature(name, signature, {detail::Arg<A>::kind...});
  op.name = std::move(name);
  op.infer = infer;
  op.result = result_of<R>();
  op.function = reinterpret_cast<void (*)()>(function);
  op.signature = &typeid(R(A...));
  op.eval = detail::evaluator(function, std::index_sequence_for<A...>{});
  return op;
}

}  // namespace godwit::ops
