// Operators and how each is translated: one row per operator, one file per family.
//
// A row's name is "add" (all overloads of aten::add) or "add.Tensor" (that overload first); other namespaces are
// spelled out ("torchvision::nms"). In-place variants ("add_") and `out=` overloads follow from the functional row.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontends/aten/context.h"

namespace godwit::frontends::aten {

using Translator = std::function<Values(Context&)>;

struct Row {
  std::string name;
  Translator translate;
};
using Rows = std::vector<Row>;

// Whether an operator (functional, in-place or out=) has a translation.
bool is_known(const Schema& schema);

// Translates one call. `arguments` is parallel to schema.arguments or shorter; what is missing takes its default
// (UsageError where it has none). nullopt: no row. Throws Unsupported for uses that are not covered.
std::optional<Values> translate(Session& session, const Schema& schema, Values arguments);

// The same by name and overload, with positional and keyword arguments. nullopt also for an operator without a schema.
std::optional<Values> translate(Session& session, std::string_view name, std::string_view overload, Values arguments,
                                const std::vector<std::pair<std::string, Value>>& keywords = {});

// Fills positional and keyword arguments into the schema's order; throws UsageError where they do not fit.
Values bind_arguments(const Schema& schema, Values arguments,
                      const std::vector<std::pair<std::string, Value>>& keywords);

// All rows' names.
std::vector<std::string> row_names();

}  // namespace godwit::frontends::aten
