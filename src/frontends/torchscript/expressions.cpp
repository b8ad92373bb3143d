#include <charconv>
#include <cmath>
#include <limits>

#include "formats/torchscript/lexer.h"
#include "formats/torchscript/printer.h"
#include "frontends/torchscript/depth.h"
#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {
namespace {

using script::Expr;

std::optional<double> real_of(std::string_view text) {
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  if (text == "nan" || text == "-nan") return std::numeric_limits<double>::quiet_NaN();
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return value;
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Value> named_constant(const std::string& name) {
  if (name == "None") return Value();
  if (name == "True") return Value(true);
  if (name == "False") return Value(false);
  if (name == "inf" || name == "nan") return Value(*real_of(name));
  return std::nullopt;
}

}  // namespace

Value Evaluator::evaluate_number(const Expr& e) const {
  const std::string& text = e.text;
  if (text.ends_with('j')) {
    const size_t split = text.find_first_of("+-", 1);
    const auto real = split == text.npos ? std::optional(0.0) : real_of(text.substr(0, split));
    std::string tail = split == text.npos ? text : text.substr(split);
    tail.pop_back();
    if (tail.ends_with('.') && tail.find('.') + 1 != tail.size()) tail.pop_back();
    const auto imaginary = real_of(tail);
    if (!real || !imaginary) fail(fmt::format("bad number {}", text));
    return std::complex<double>(*real, *imaginary);
  }
  int64_t integer = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (error == std::errc() && end == text.data() + text.size()) return integer;
  auto real = real_of(text);
  if (!real) fail(fmt::format("bad number {}", text));
  return *real;
}

// "torch.nn.f" for a chain of names that begins outside of the variables.
std::optional<std::string> Evaluator::dotted(const Expr& e) const {
  if (e.kind == Expr::Kind::name) {
    const bool is_root = e.text == "torch" || e.text == "ops" || e.text == "__torch__" || e.text == "CONSTANTS";
    return is_root && !frames_.back()->scope.contains(e.text) ? std::optional(e.text) : std::nullopt;
  }
  if (e.kind != Expr::Kind::attribute) return std::nullopt;
  auto base = dotted(e.items[0]);
  return base ? std::optional(*base + "." + e.text) : std::nullopt;
}

Value Evaluator::evaluate(const Expr& e) {
  Deeper deeper(*this);
  switch (e.kind) {
    case Expr::Kind::name: {
      auto found = frame().scope.find(e.text);
      if (found != frame().scope.end()) return found->second;
      if (auto constant = named_constant(e.text)) return *constant;
      fail(fmt::format("{} is not defined", e.text));
    }
    case Expr::Kind::number: return evaluate_number(e);
    case Expr::Kind::text: return script::unescape(e.text);
    case Expr::Kind::paren: return evaluate(e.items[0]);
    case Expr::Kind::list: return Value::list(evaluate_items(e, 0, nullptr));
    case Expr::Kind::tuple:
    case Expr::Kind::bare_tuple: return Value::tuple(evaluate_items(e, 0, nullptr));
    case Expr::Kind::dict: {
      auto dict = std::make_shared<DictBox>();
      for (size_t i = 0; i + 1 < e.items.size(); i += 2) {
        Value key = evaluate(e.items[i]);
        dict->items.emplace_back(std::move(key), evaluate(e.items[i + 1]));
      }
      return Value(std::shared_ptr<aten::Opaque>(dict));
    }
    case Expr::Kind::attribute: return evaluate_attribute(e);
    case Expr::Kind::subscript: return evaluate_subscript(e);
    case Expr::Kind::call: return evaluate_call(e);
  }
  fail("an expression of an unknown kind");
}

Values Evaluator::evaluate_items(const Expr& e, size_t from, Keywords* keywords) {
  Values out;
  for (size_t i = from; i < e.items.size(); ++i) {
    Value v = evaluate(e.items[i]);
    if (keywords && i < e.names.size() && !e.names[i].empty())
      keywords->emplace_back(e.names[i], std::move(v));
    else
      out.push_back(std::move(v));
  }
  return out;
}

Value Evaluator::evaluate_attribute(const Expr& e) {
  if (auto name = dotted(e)) {
    if (name->starts_with("CONSTANTS.c")) {
      size_t index = 0;
      auto [end, error] = std::from_chars(name->data() + 11, name->data() + name->size(), index);
      if (error != std::errc() || end != name->data() + name->size()) fail("a bad constant " + *name);
      return constant(index);
    }
    auto found = archive_->find(*name);
    if (found && found->function) {
      auto box = std::make_shared<FunctionBox>();
      box->file = found->file;
      box->function = found->function;
      return Value(std::shared_ptr<aten::Opaque>(box));
    }
    const size_t dot = name->rfind('.');
    if (auto type = archive_->find(name->substr(0, dot)); type && type->type && type->type->base == "Enum") {
      for (const auto& m : type->type->members) {
        if (m.kind != script::Member::Kind::enumerator || m.name != e.text) continue;
        auto box = std::make_shared<EnumBox>();
        box->class_name = name->substr(0, dot);
        box->name = e.text;
        box->value = evaluate_default(*type->file, *m.value);
        return Value(std::shared_ptr<aten::Opaque>(box));
      }
    }
    fail(fmt::format("{} is not defined", *name));
  }
  const Value base = evaluate(e.items[0]);
  if (auto object = as<ObjectBox>(base)) return get_attribute(object, e.text);
  if (auto item = as<EnumBox>(base)) {
    if (e.text == "value") return item->value;
    if (e.text == "name") return item->name;
  }
  if (auto named = as<NamedTupleBox>(base))
    for (size_t i = 0; i < named->names.size(); ++i)
      if (named->names[i] == e.text) return named->items[i];
  fail(fmt::format("{} has no attribute {}", describe(base), e.text));
}

Value Evaluator::evaluate_subscript(const Expr& e) {
  if (e.items.size() != 2) fail("a subscript with several indices");
  const Value base = evaluate(e.items[0]);
  return subscript(base, evaluate(e.items[1]));
}

Value Evaluator::subscript(const Value& base, const Value& index) {
  if (auto dict = as<DictBox>(base)) {
    if (Value* found = dict->find(index)) return *found;
    throw Raised(fmt::format("KeyError: {} ({})", text_of(index), place_));
  }
  if (base.is<std::string>() || items_of(base)) {
    auto result = call_container_builtin(*this, "aten::__getitem__", {base, index});
    if (result) return *result;
  }
  fail(fmt::format("{} has no items", describe(base)));
}

// Words that are no functions: their arguments may be types.
std::optional<Value> Evaluator::special_form(const std::string& name, const Expr& e) {
  const size_t n = e.items.size() - 1;
  if ((name == "annotate" || name == "unchecked_cast") && n == 2) {
    Value v = evaluate(e.items[2]);
    // How a tensor that becomes a number by itself is written.
    const bool is_number = e.items[1].kind == Expr::Kind::name && e.items[1].text == "number";
    return is_number && v.is_tensor() ? call_tensor_builtin(*this, "aten::ScalarImplicit", {v}, {}).value_or(v) : v;
  }
  if (name == "uninitialized") return Value(std::shared_ptr<aten::Opaque>(std::make_shared<Uninitialized>()));
  if (name == "isinstance" && n == 2) return matches_type(evaluate(e.items[1]), e.items[2]);
  if (name == "getattr" && n == 2) {
    auto object = as<ObjectBox>(evaluate(e.items[1]));
    if (!object || e.items[2].kind != Expr::Kind::text) fail("a bad getattr");
    return get_attribute(object, script::unescape(e.items[2].text));
  }
  if (name == "hasattr" && n == 2) {
    auto object = as<ObjectBox>(evaluate(e.items[1]));
    if (!object || e.items[2].kind != Expr::Kind::text) fail("a bad hasattr");
    const std::string attribute = script::unescape(e.items[2].text);
    bool found = object->pickled.contains(attribute) || object->attributes.contains(attribute);
    if (!found) class_constant(*object, attribute, &found);
    return found;
  }
  if (name == "fork" && n >= 1) {
    auto function = as<FunctionBox>(evaluate(e.items[1]));
    if (!function) fail("a bad fork");
    const auto scope = frame().scope;  // what the forked block assigns is its own
    auto result = run_block(function->function->body);
    frame().scope = scope;
    return result ? *result : Value();
  }
  if (name == "print" || name == "range") return Value();
  for (auto [word, op] : {std::pair{"int", "aten::Int"},
                          {"float", "aten::Float"},
                          {"bool", "aten::Bool"},
                          {"str", "aten::str"},
                          {"sorted", "aten::sorted"},
                          {"complex", "aten::Complex"}})
    if (name == word) return call_operator(op, evaluate_items(e, 1, nullptr), {});
  return std::nullopt;
}

Value Evaluator::evaluate_call(const Expr& e) {
  const Expr& callee = e.items[0];
  if (callee.kind == Expr::Kind::name && !frame().scope.contains(callee.text))
    if (auto result = special_form(callee.text, e)) return *result;
  if (auto name = dotted(callee)) return call_qualified(*name, e);

  if (callee.kind == Expr::Kind::attribute) {
    const Value receiver = evaluate(callee.items[0]);
    Keywords keywords;
    Values arguments = evaluate_items(e, 1, &keywords);
    set_place(e.offset);
    if (auto object = as<ObjectBox>(receiver)) return call_method(object, callee.text, std::move(arguments), keywords);
    if (auto item = as<EnumBox>(receiver)) fail("a method of an enum");
    arguments.insert(arguments.begin(), receiver);
    return call_operator("aten::" + callee.text, std::move(arguments), std::move(keywords));
  }
  auto function = as<FunctionBox>(evaluate(callee));
  if (!function) fail(fmt::format("{} cannot be called", print(callee).substr(0, 200)));
  Keywords keywords;
  Values arguments = evaluate_items(e, 1, &keywords);
  set_place(e.offset);
  return call_function(*function->file, *function->function, std::move(arguments), keywords, frame().path);
}

Value Evaluator::call_qualified(const std::string& name, const Expr& e) {
  if (name.ends_with(".__new__") && name.starts_with("__torch__")) {
    const std::string type = name.substr(0, name.size() - 8);
    auto found = archive_->find(type);
    if (!found || !found->type) fail(fmt::format("class {} is not in the archive", type));
    auto object = std::make_shared<ObjectBox>();
    object->file = found->file;
    object->type = found->type;
    object->class_name = type;
    return Value(std::shared_ptr<aten::Opaque>(object));
  }
  Keywords keywords;
  Values arguments = evaluate_items(e, 1, &keywords);
  set_place(e.offset);
  if (name.starts_with("torch."))
    return call_operator("aten::" + name.substr(6), std::move(arguments), std::move(keywords));
  if (name.starts_with("ops.")) {
    const size_t dot = name.find('.', 4);
    if (dot == name.npos) fail("a bad operator name " + name);
    return call_operator(name.substr(4, dot - 4) + "::" + name.substr(dot + 1), std::move(arguments),
                         std::move(keywords));
  }
  auto found = archive_->find(name);
  if (!found) fail(fmt::format("{} is not in the archive", name));
  if (found->function)
    return call_function(*found->file, *found->function, std::move(arguments), keywords, frame().path);
  return construct(*found, name, std::move(arguments), keywords);
}

Value Evaluator::construct(const script::Definition& d, const std::string& name, Values arguments,
                           const Keywords& keywords) {
  if (d.type->base != "NamedTuple") fail(fmt::format("class {} is called", name));
  auto box = std::make_shared<NamedTupleBox>();
  for (const auto& m : d.type->members)
    if (m.kind == script::Member::Kind::field) box->names.push_back(m.name);
  box->items = std::move(arguments);
  for (const auto& [key, value] : keywords) box->items.push_back(value);
  if (box->items.size() != box->names.size()) fail(fmt::format("{} takes {} values", name, box->names.size()));
  return Value(std::shared_ptr<aten::Opaque>(box));
}

bool Evaluator::matches_type(const Value& value, const Expr& type) const {
  if (type.kind == Expr::Kind::paren) return matches_type(value, type.items[0]);
  if (type.kind == Expr::Kind::tuple || type.kind == Expr::Kind::list) {
    for (const Expr& t : type.items)
      if (matches_type(value, t)) return true;
    return false;
  }
  auto all_match = [&](const Values& items, const Expr& t) {
    for (const Value& v : items)
      if (!matches_type(v, t)) return false;
    return true;
  };
  if (type.kind == Expr::Kind::subscript) {
    const std::string& base = type.items[0].text;
    if (base == "Final" || base == "Future") return matches_type(value, type.items[1]);
    if (base == "Optional") return value.is_none() || matches_type(value, type.items[1]);
    if (base == "Union") {
      for (size_t i = 1; i < type.items.size(); ++i)
        if (matches_type(value, type.items[i])) return true;
      return false;
    }
    if (base == "List") return value.is<aten::List>() && all_match(*value.items(), type.items[1]);
    if (base == "Dict") return as<DictBox>(value) != nullptr;
    if (base == "Tuple") {
      const Values* items = value.is<aten::Tuple>() || as<NamedTupleBox>(value) ? items_of(value) : nullptr;
      const bool is_empty = type.items[1].kind == Expr::Kind::tuple;
      const size_t n = is_empty ? 0 : type.items.size() - 1;
      if (!items || items->size() != n) return false;
      for (size_t i = 0; i < n; ++i)
        if (!matches_type((*items)[i], type.items[i + 1])) return false;
      return true;
    }
    return false;
  }
  if (type.kind == Expr::Kind::attribute) {
    if (auto object = as<ObjectBox>(value)) return object->class_name == print(type);
    if (auto item = as<EnumBox>(value)) return item->class_name == print(type);
    return as<NamedTupleBox>(value) != nullptr;
  }
  const std::string& t = type.text;
  auto* run = value.get<aten::RunNumber>();
  if (t == "Any") return true;
  if (t == "Tensor") return value.is_tensor();
  if (t == "int") return value.is<ir::Dim>();
  if (t == "float") return value.is<double>() || (run && is_float(run->value->dtype()));
  if (t == "bool") return value.is<bool>() || (run && run->value->dtype() == DType::boolean);
  if (t == "str" || t == "Device") return value.is<std::string>();
  if (t == "complex") return value.is<std::complex<double>>();
  if (t == "number") return value.is_number();
  if (t == "NoneType") return value.is_none();
  return false;
}

}  // namespace godwit::frontends::torchscript
