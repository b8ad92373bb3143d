// Sizes in .pt2 files are sympy expressions printed by srepr: "Add(Mul(Integer(2), Symbol('s10', ...)), Integer(1))".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ir/dim.h"

namespace godwit::frontends::pt2 {

using SymbolLookup = std::function<std::optional<ir::Dim>(const std::string& name)>;

// nullopt where a symbol has no dimension yet or the expression is no integer one (1/2, true division).
// Throws FileError for text that is no expression.
std::optional<ir::Dim> parse_expression(std::string_view text, const SymbolLookup& lookup);

// The name when the text is one plain symbol.
std::optional<std::string> plain_symbol(std::string_view text);

}  // namespace godwit::frontends::pt2
