// What generated classes say of themselves, in any language.
#pragma once

#include <string>
#include <vector>

#include "emit/code/program.h"

namespace godwit::emit {

// Names come from files: nothing of them may end a comment or go on in the next line.
std::string comment_text(std::string text);
// The source's name where it is a word, else "x" for the first and the op that makes it for the others.
std::string parameter_name(const ir::Value* v, size_t position);
// "encoder.layers.0, encoder.layers.1, encoder.layers.2, ... (12 in all)"
std::string places_of(const Block& block);
// "x: f32[B, 4], mask: bool[B] -> f32[B, 8]"
std::string shapes_of(const std::vector<std::string>& names, const std::vector<const ir::Value*>& parameters,
                      const std::vector<const ir::Value*>& results);

}  // namespace godwit::emit
