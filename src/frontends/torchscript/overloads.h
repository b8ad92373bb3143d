// Which overload of an operator a call means: the text does not say, the types of the arguments decide.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "frontends/aten/schema.h"
#include "frontends/torchscript/objects.h"

namespace godwit::frontends::torchscript {

using Keywords = std::vector<std::pair<std::string, Value>>;

struct Resolved {
  const aten::Schema* schema = nullptr;
  Values arguments;  // positional, complete with keywords and defaults
};

// Tries the overloads in their order of registration, first without, then with implicit conversions. nullopt: none
// fits.
std::optional<Resolved> resolve(const std::string& name, const Values& arguments, const Keywords& keywords);

}  // namespace godwit::frontends::torchscript
