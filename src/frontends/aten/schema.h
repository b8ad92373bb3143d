// Operator schemas: names, types, order and defaults of arguments, as PyTorch's registry prints them.
//
// The texts live in schemas.inc, written by tools/generate_aten_schemas.py; they are parsed when first asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontends/aten/value.h"

namespace godwit::frontends::aten {

struct SchemaArgument {
  std::string name;
  std::string type;             // "Tensor", "int", "float", "Scalar", "str", "ScalarType" ...; "t" for any; no SymInt
  int list_depth = 0;           // 1: a list of `type`, 2: a list of lists
  bool optional = false;        // the whole may be None
  bool optional_items = false;  // items of the list may be None
  int fixed_size = 0;           // "int[2]": one int stands for all two
  bool is_written = false;      // "Tensor(a!)"
  bool keyword_only = false;
  std::optional<Value> fallback;
};

struct Schema {
  std::string name;      // "aten::add"
  std::string overload;  // "Tensor", "" for the unnamed one
  std::vector<SchemaArgument> arguments;
  std::vector<SchemaArgument> returns;
  std::string text;

  std::string full_name() const { return overload.empty() ? name : name + "." + overload; }
  const SchemaArgument* find(std::string_view argument) const;
};

// Throws InternalError: the texts are ours.
Schema parse_schema(std::string_view text);

// All overloads of "aten::add" in the order of registration; empty where we know none.
const std::vector<const Schema*>& schemas(std::string_view name);
// One overload; null where we do not know it. "default" is the unnamed one.
const Schema* find_schema(std::string_view name, std::string_view overload);

}  // namespace godwit::frontends::aten
