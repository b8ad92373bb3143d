// How trivial operators become one line: rows made from the name of an IR op.
#pragma once

#include "frontends/aten/registry.h"

namespace godwit::frontends::aten {

// One operand "self" (or the schema's first argument), dtype kept.
Translator unary(std::string op, ir::Attrs attrs = {});
// The same for functions of reals: integers become float32 first.
Translator real_unary(std::string op, ir::Attrs attrs = {});
// Two operands, the schema's first two arguments, in their result type.
Translator binary(std::string op);
// The same for functions of reals.
Translator real_binary(std::string op);
// The result is the first argument, the same tensor.
Translator identity();
// No results: checks and constraints that only matter to the exporter.
Translator dropped();

// A view and its *_copy twin (decompositions without views), which gives the same in memory of its own.
void add_with_copy(Rows& rows, const std::string& name, const Translator& t);

// The name of the schema's argument i.
std::string_view argument_name(const Context& c, size_t i);

}  // namespace godwit::frontends::aten
