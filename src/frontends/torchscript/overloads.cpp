#include "frontends/torchscript/overloads.h"

#include <algorithm>

#include "frontends/aten/registry.h"

namespace godwit::frontends::torchscript {
namespace {

using aten::SchemaArgument;
using aten::TensorRef;

// 0: exact types; 1: a tensor of one element is a number, a tuple is a list; 2: also a number is a tensor.
using Leniency = int;

bool is_int(const Value& v) { return v.is<ir::Dim>(); }

bool fits_type(const Value& v, const std::string& type, Leniency leniency) {
  if (type == "t" || type.starts_with("t1") || type == "Any") return true;
  if (type == "Tensor") return v.is_tensor() || (leniency >= 2 && v.is_number());
  const bool is_converted = leniency >= 1 && v.is_tensor();
  if (type == "Scalar" || type == "number")
    return (v.is_number() && !v.is<bool>()) || (v.is<bool>() && leniency >= 1) || is_converted;
  if (type == "int" || type == "SymInt") return is_int(v) || is_converted || (leniency >= 2 && v.is<bool>());
  if (type == "float") {
    auto* run = v.get<aten::RunNumber>();
    return v.is<double>() || (run && is_float(run->value->dtype())) || is_converted || (leniency >= 1 && is_int(v));
  }
  if (type == "complex") return v.is<std::complex<double>>();
  if (type == "bool") {
    auto* run = v.get<aten::RunNumber>();
    return v.is<bool>() || (run && run->value->dtype() == DType::boolean) || (leniency >= 1 && v.is_tensor());
  }
  if (type == "str" || type == "Device") return v.is<std::string>();
  if (type == "ScalarType" || type == "Layout" || type == "MemoryFormat") return is_int(v);
  if (type == "Generator" || type == "Storage" || type == "Stream") return false;
  if (type.starts_with("Dict")) return as<DictBox>(v) != nullptr;
  return false;
}

bool fits(const Value& v, const SchemaArgument& a, Leniency leniency);

bool fits_list(const Value& v, const SchemaArgument& a, Leniency leniency) {
  if (a.list_depth == 1 && a.fixed_size > 0 && !items_of(v)) {
    SchemaArgument item = a;
    item.list_depth = 0;
    return fits(v, item, leniency);
  }
  if (!v.is<aten::List>() && leniency < 1) return false;
  const Values* items = items_of(v);
  if (!items) return false;
  SchemaArgument item = a;
  item.list_depth = a.list_depth - 1;
  item.fixed_size = 0;
  item.optional = a.optional_items;
  item.optional_items = false;
  return std::all_of(items->begin(), items->end(), [&](const Value& x) { return fits(x, item, leniency); });
}

bool fits(const Value& v, const SchemaArgument& a, Leniency leniency) {
  // An `uninitialized` value or a forgotten None: only optional parameters take it.
  if (v.is_none())
    return a.optional || a.type == "Layout" || a.type == "Device" || a.type == "Generator" || a.type == "t";
  if (a.list_depth > 0) return fits_list(v, a, leniency);
  if (items_of(v) && a.type != "t" && a.type != "Any") return false;
  return fits_type(v, a.type, leniency);
}

// `repeat(x, 2, 3)`: the rest of the positional arguments is one list of integers.
Values gathered(const aten::Schema& schema, const Values& arguments) {
  size_t positional = 0;
  while (positional < schema.arguments.size() && !schema.arguments[positional].keyword_only) ++positional;
  if (positional == 0 || arguments.size() <= positional) return arguments;
  const SchemaArgument& last = schema.arguments[positional - 1];
  const bool all_ints =
      std::all_of(arguments.begin() + static_cast<ptrdiff_t>(positional) - 1, arguments.end(), is_int);
  if (last.list_depth != 1 || last.type != "int" || !all_ints) return arguments;
  Values out(arguments.begin(), arguments.begin() + static_cast<ptrdiff_t>(positional) - 1);
  out.push_back(Value::list({arguments.begin() + static_cast<ptrdiff_t>(positional) - 1, arguments.end()}));
  return out;
}

std::optional<Resolved> match(const aten::Schema& schema, const Values& given, const Keywords& keywords,
                              Leniency leniency) {
  const Values arguments = gathered(schema, given);
  if (arguments.size() > schema.arguments.size()) return std::nullopt;
  std::vector<bool> is_given(schema.arguments.size(), false);
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (schema.arguments[i].keyword_only || !fits(arguments[i], schema.arguments[i], leniency)) return std::nullopt;
    is_given[i] = true;
  }
  for (const auto& [name, value] : keywords) {
    size_t i = 0;
    while (i < schema.arguments.size() && schema.arguments[i].name != name) ++i;
    if (i == schema.arguments.size() || is_given[i] || !fits(value, schema.arguments[i], leniency)) return std::nullopt;
    is_given[i] = true;
  }
  for (size_t i = 0; i < schema.arguments.size(); ++i)
    if (!is_given[i] && !schema.arguments[i].fallback && !schema.arguments[i].optional) return std::nullopt;
  return Resolved{&schema, aten::bind_arguments(schema, arguments, keywords)};
}

// Named tuples are lists to the translators; tuples where a list is wanted become lists.
void settle(Resolved& call) {
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const SchemaArgument& a = call.schema->arguments[i];
    if (a.list_depth == 0 || call.arguments[i].is<aten::List>()) continue;
    if (const Values* items = items_of(call.arguments[i])) call.arguments[i] = Value::list(*items);
  }
}

}  // namespace

std::optional<Resolved> resolve(const std::string& name, const Values& arguments, const Keywords& keywords) {
  const auto& overloads = aten::schemas(name);
  for (Leniency leniency : {0, 1, 2})
    for (const aten::Schema* schema : overloads) {
      auto found = match(*schema, arguments, keywords, leniency);
      if (!found) continue;
      settle(*found);
      return found;
    }
  // A leading number and a tensor commute.
  const bool commutes = name == "aten::add" || name == "aten::mul" || name == "aten::eq" || name == "aten::ne";
  if (commutes && arguments.size() >= 2 && arguments[0].is_number() && arguments[1].is_tensor()) {
    Values swapped = arguments;
    std::swap(swapped[0], swapped[1]);
    return resolve(name, swapped, keywords);
  }
  return std::nullopt;
}

}  // namespace godwit::frontends::torchscript
