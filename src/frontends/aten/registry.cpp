#include "frontends/aten/registry.h"

#include <map>

#include "frontends/aten/autocast.h"
#include "frontends/aten/families.h"

namespace godwit::frontends::aten {
namespace {

const std::map<std::string, Translator, std::less<>>& table() {
  static const auto instance = [] {
    std::map<std::string, Translator, std::less<>> out;
    for (Rows (*family)() : families)
      for (Row& row : family()) {
        std::string name = row.name.find("::") == std::string::npos ? "aten::" + row.name : row.name;
        require<InternalError>(out.emplace(name, std::move(row.translate)).second, "two rows translate {}", name);
      }
    return out;
  }();
  return instance;
}

const Translator* exact(const std::string& name, const std::string& overload) {
  const auto& rows = table();
  if (auto found = rows.find(overload.empty() ? name + ".default" : name + "." + overload); found != rows.end())
    return &found->second;
  if (auto found = rows.find(name); found != rows.end()) return &found->second;
  return nullptr;
}

struct Found {
  const Translator* translator = nullptr;
  bool in_place = false;  // the functional row stands for "op_"
};

Found find(const Schema& schema) {
  if (const Translator* t = exact(schema.name, schema.overload)) return {t, false};
  if (schema.name.ends_with('_') && !schema.name.ends_with("__")) {
    std::string functional = schema.name.substr(0, schema.name.size() - 1);
    if (const Translator* t = exact(functional, schema.overload)) return {t, true};
  }
  return {};
}

// A fault of ours stays one, and says in which operator.
Values run(const Translator& translator, Context& context) {
  try {
    return translator(context);
  } catch (const InternalError& e) {
    raise<InternalError>("[{}] {}", context.schema.full_name(), e.what());
  }
}

// The result of the functional operator in the type and shape of the tensor that takes it.
ir::Value* fitted(Session& session, ir::Value* value, const TensorRef& target) {
  ops::Builder& b = session.builder;
  ir::Value* v = b.cast(value, target.dtype());
  if (v->type.shape && v->shape() != target.shape()) v = b.op("broadcast", {v}, {{"shape", target.shape()}});
  return v;
}

}  // namespace

bool is_known(const Schema& schema) { return find(schema).translator != nullptr; }

std::vector<std::string> row_names() {
  std::vector<std::string> out;
  for (const auto& [name, translator] : table()) out.push_back(name);
  return out;
}

Values bind_arguments(const Schema& schema, Values arguments,
                      const std::vector<std::pair<std::string, Value>>& keywords) {
  const size_t n = schema.arguments.size();
  require<UsageError>(arguments.size() <= n, "[{}] takes {} arguments, {} are given", schema.full_name(), n,
                      arguments.size());
  std::vector<bool> given(n, false);
  for (size_t i = 0; i < arguments.size(); ++i) given[i] = true;
  arguments.resize(n);
  for (const auto& [name, value] : keywords) {
    size_t i = 0;
    while (i < n && schema.arguments[i].name != name) ++i;
    require<UsageError>(i < n, "[{}] has no argument called {}", schema.full_name(), name);
    require<UsageError>(!given[i], "[{}] argument {} is given twice", schema.full_name(), name);
    arguments[i] = value;
    given[i] = true;
  }
  for (size_t i = 0; i < n; ++i) {
    if (given[i]) continue;
    const SchemaArgument& a = schema.arguments[i];
    require<UsageError>(a.fallback || a.optional || a.name == "out", "[{}] argument {} is missing", schema.full_name(),
                        a.name);
    // A default list is shared by every call: copy it, lists have identity.
    if (a.fallback && a.fallback->items())
      arguments[i] = Value::list(*a.fallback->items());
    else if (a.fallback)
      arguments[i] = *a.fallback;
  }
  return arguments;
}

std::optional<Values> translate(Session& session, const Schema& schema, Values arguments) {
  const Found found = find(schema);
  if (!found.translator) return std::nullopt;
  arguments = bind_arguments(schema, std::move(arguments), {});
  if (session.autocast) autocast_arguments(session, schema, arguments);
  Context context(session, schema, arguments);
  Values results = run(*found.translator, context);
  if (found.in_place) {
    TensorRef self = context.ref(schema.arguments.at(0).name);
    self.write(fitted(session, results.at(0).get<TensorRef>()->read(), self));
    return Values{self};
  }
  // out= overloads: each tensor that is written takes the result of its place.
  size_t next = 0;
  for (size_t i = 0; i < schema.arguments.size(); ++i) {
    const SchemaArgument& a = schema.arguments[i];
    const bool is_out = a.is_written && a.keyword_only;
    if (!is_out || !arguments[i].is_tensor() || next >= results.size()) continue;
    TensorRef out = *arguments[i].get<TensorRef>();
    ir::Value* value = results[next].get<TensorRef>()->read();
    // torch resizes an `out` of another shape: only a whole tensor can be.
    const bool resized = value->type.shape && value->shape() != out.shape();
    require<UsageError>(!resized || out == out.root(), "[{}] resizes a view given as {}", schema.full_name(), a.name);
    out.write(session.builder.cast(value, out.dtype()));
    results[next++] = out;
  }
  return results;
}

std::optional<Values> translate(Session& session, std::string_view name, std::string_view overload, Values arguments,
                                const std::vector<std::pair<std::string, Value>>& keywords) {
  const Schema* schema = find_schema(name, overload);
  if (!schema) return std::nullopt;
  return translate(session, *schema, bind_arguments(*schema, std::move(arguments), keywords));
}

}  // namespace godwit::frontends::aten
