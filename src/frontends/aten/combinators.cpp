#include "frontends/aten/combinators.h"

namespace godwit::frontends::aten {

std::string_view argument_name(const Context& c, size_t i) {
  require<InternalError>(i < c.schema.arguments.size(), "[{}] has no argument {}", c.schema.full_name(), i);
  return c.schema.arguments[i].name;
}

Translator unary(std::string op, ir::Attrs attrs) {
  return [op = std::move(op), attrs = std::move(attrs)](Context& c) -> Values {
    return {c.result(c.op(op, {c.tensor(argument_name(c, 0))}, attrs))};
  };
}

Translator real_unary(std::string op, ir::Attrs attrs) {
  return [op = std::move(op), attrs = std::move(attrs)](Context& c) -> Values {
    return {c.result(c.op(op, {c.floating(c.tensor(argument_name(c, 0)))}, attrs))};
  };
}

Translator binary(std::string op) {
  return [op = std::move(op)](Context& c) -> Values {
    return {c.result(c.op(op, c.promoted({argument_name(c, 0), argument_name(c, 1)})))};
  };
}

Translator real_binary(std::string op) {
  return [op = std::move(op)](Context& c) -> Values {
    std::string_view x = argument_name(c, 0), y = argument_name(c, 1);
    DType to = c.result_type({x, y});
    if (!is_float(to) && !is_complex(to)) to = DType::f32;
    return {c.result(c.op(op, c.as(to, {x, y})))};
  };
}

Translator identity() {
  return [](Context& c) -> Values { return {c.ref(argument_name(c, 0))}; };
}

Translator dropped() {
  return [](Context&) -> Values { return {}; };
}

void add_with_copy(Rows& rows, const std::string& name, const Translator& t) {
  rows.push_back({name, t});
  rows.push_back({name + "_copy", [t](Context& c) -> Values {
                    Values out = t(c);
                    for (Value& v : out)
                      if (auto* ref = v.get<TensorRef>()) v = c.result(ref->read());
                    return out;
                  }});
}

}  // namespace godwit::frontends::aten
