// Operator calls: builtins on Python values first, then the shared translators of tensor operators.
#include <algorithm>

#include "frontends/aten/registry.h"
#include "frontends/torchscript/depth.h"
#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {
namespace {

bool any_tensor(const Values& values, const std::function<bool(const aten::TensorRef&)>& test) {
  return std::any_of(values.begin(), values.end(), [&](const Value& v) {
    if (auto* t = v.get<aten::TensorRef>()) return test(*t);
    const Values* items = items_of(v);
    return items && any_tensor(*items, test);
  });
}

Value packed(Values results) {
  if (results.size() == 1) return std::move(results[0]);
  if (results.empty()) return {};
  return Value::tuple(std::move(results));
}

std::string source_name(std::string name) {
  if (const size_t colons = name.find("::"); colons != name.npos) name.replace(colons, 2, ".");
  return name;
}

bool is_integral(const Value& v) {
  if (auto* t = v.get<aten::TensorRef>()) return is_integer(t->dtype()) || t->dtype() == DType::boolean;
  return v.is<ir::Dim>() || v.is<bool>();
}

// A tensor of one element where a number is wanted, alone or in a list.
void settle_number(Evaluator& e, Value& value, const aten::SchemaArgument& a) {
  const char* word = a.type == "int"      ? "aten::IntImplicit"
                     : a.type == "float"  ? "aten::FloatImplicit"
                     : a.type == "Scalar" ? "aten::ScalarImplicit"
                                          : nullptr;
  if (!word) return;
  auto settled = [&](const Value& v) {
    if (!v.is_tensor()) return v;
    return call_tensor_builtin(e, word, {v}, {}).value_or(v);
  };
  if (value.is_tensor()) value = settled(value);
  const Values* items = value.items();
  if (a.list_depth != 1 || !items ||
      std::none_of(items->begin(), items->end(), [](const Value& v) { return v.is_tensor(); }))
    return;
  Values out;
  for (const Value& v : *items) out.push_back(settled(v));
  value = Value::list(std::move(out));
}

}  // namespace

// What operators meant when older files were written.
void Evaluator::apply_version(const std::string& name, Values& arguments, Keywords& keywords) {
  const int version = archive_->version();
  const bool is_division = name == "aten::div" || name == "aten::div_";
  if (version < 4 && is_division && arguments.size() == 2 && keywords.empty() && arguments[0].is_tensor() &&
      is_integral(arguments[0]) && is_integral(arguments[1]))
    keywords.emplace_back("rounding_mode", Value("trunc"));
  if (version < 5 && name == "aten::full" && arguments.size() >= 2 && is_integral(arguments[1]) &&
      std::none_of(keywords.begin(), keywords.end(),
                   [](const auto& k) { return k.first == "dtype" && !k.second.is_none(); })) {
    std::erase_if(keywords, [](const auto& k) { return k.first == "dtype"; });
    keywords.emplace_back("dtype", Value(6));
  }
  const bool is_space = (version < 8 && name == "aten::linspace") || (version < 9 && name == "aten::logspace");
  if (is_space && arguments.size() == 2) arguments.emplace_back(100);
  if (is_space && arguments.size() > 2 && arguments[2].is_none()) arguments[2] = Value(100);
}

Value Evaluator::call_operator(const std::string& name, Values arguments, Keywords keywords) {
  ++source_nodes_;
  if (name == "prim::RaiseException") {
    const std::string what = arguments.empty() ? "" : text_of(arguments[0]);
    throw Raised(fmt::format("the model raises \"{}\" ({})", what, place_));
  }
  if (auto result = call_builtin(*this, name, arguments, keywords)) return *result;
  apply_version(name, arguments, keywords);
  return translate(name, arguments, keywords);
}

Value Evaluator::translate(const std::string& name, const Values& arguments, const Keywords& keywords) {
  const auto is_unknown = [](const aten::TensorRef& t) { return !t.read()->type.shape; };
  if (any_tensor(arguments, is_unknown)) throw Blocked(fmt::format("{} behind an unsupported operator", name));
  // prim:: twins of aten operators (prim::max, prim::min) are builtins; what is left has aten's schema.
  auto call = resolve(name, arguments, keywords);
  if (!call) {
    if (aten::schemas(name).empty()) return unsupported(name, arguments, 1);
    std::string given;
    for (const Value& v : arguments) given += (given.empty() ? "" : ", ") + describe(v);
    fail(fmt::format("[{}] no overload takes ({})", name, given));
  }
  const aten::Schema& schema = *call->schema;
  for (size_t i = 0; i < call->arguments.size(); ++i) settle_number(*this, call->arguments[i], schema.arguments[i]);
  if (!aten::is_known(schema)) return unsupported(schema.full_name(), arguments, schema.returns.size());
  try {
    auto results = aten::translate(session_, schema, call->arguments);
    if (!results) return unsupported(schema.full_name(), arguments, schema.returns.size());
    return packed(std::move(*results));
  } catch (const aten::Unsupported& error) {
    session_.warn(error.what());
    return unsupported(schema.full_name(), arguments, schema.returns.size());
  } catch (const Raised&) {
    throw;
  } catch (const UsageError& error) {
    const std::string what = error.what();
    throw UsageError(place_.empty() || what.find(place_) != what.npos ? what : fmt::format("{} ({})", what, place_));
  } catch (const InternalError& error) {
    raise<InternalError>("{}: {} ({})", archive_->name(), error.what(), place_);
  }
}

Value Evaluator::unsupported(const std::string& name, const Values& arguments, size_t results) {
  std::vector<ir::Value*> operands;
  any_tensor(arguments, [&](const aten::TensorRef& t) {
    operands.push_back(t.read());
    return false;
  });
  ir::Type unknown;
  unknown.shape.reset();
  const auto outputs =
      builder_.unsupported(source_name(name), operands, std::vector<ir::Type>(std::max<size_t>(results, 1), unknown));
  Values values;
  for (ir::Value* v : outputs) values.push_back(session_.tensor(v));
  return packed(std::move(values));
}

std::optional<Value> call_builtin(Evaluator& evaluator, const std::string& name, const Values& arguments,
                                  const Keywords& keywords) {
  if (auto result = call_tensor_builtin(evaluator, name, arguments, keywords)) return result;
  for (const Value& v : arguments)
    if (v.is_tensor() && name != "aten::append" && name != "aten::insert" && name != "aten::_set_item" &&
        name != "aten::extend" && name != "aten::setdefault" && name != "aten::__is__" && name != "aten::__isnot__" &&
        name != "aten::__contains__" && name != "aten::format" && name != "aten::percentFormat" &&
        name != "aten::get" && name != "aten::str" && name != "aten::pop")
      return std::nullopt;
  if (auto result = call_number_builtin(evaluator, name, arguments)) return result;
  if (auto result = call_container_builtin(evaluator, name, arguments)) return result;
  return call_text_builtin(evaluator, name, arguments);
}

}  // namespace godwit::frontends::torchscript
