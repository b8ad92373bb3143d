// A text that is equal for statements of equal structure, whatever values, weights and dimensions are called.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "emit/code/interface.h"

namespace godwit::emit {

struct Canonical {
  std::string text;
  std::vector<const ir::Value*> weights;  // in order of first use, those of called blocks left out
  std::vector<std::string> symbols;       // needed before a value in reach has them as a dimension
};

// `depth`: how many parts of each scope belong to the surroundings.
Canonical canonical(const Program& program, const std::vector<Statement>& body, const Interface& interface,
                    size_t depth);

}  // namespace godwit::emit
