#include "emit/code/describe.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace godwit::emit {

std::string comment_text(std::string text) {
  std::erase_if(text, [](unsigned char c) { return c < 0x20 || c == '\\' || c == 0x7f; });
  return text;
}

std::string parameter_name(const ir::Value* v, size_t position) {
  const bool is_word = !v->name.empty() && std::all_of(v->name.begin(), v->name.end(),
                                                       [](unsigned char c) { return std::isalpha(c) || c == '_'; });
  if (is_word) return v->name;
  return position == 0 || !v->producer ? "x" : v->producer->op;
}

std::string places_of(const Block& block) {
  std::vector<std::string> places;
  for (size_t i = 0; i < block.instances.size() && i < 3; ++i) places.push_back(join(block.instances[i].scope));
  if (block.instances.size() > 3) places.push_back(fmt::format("... ({} in all)", block.instances.size()));
  return comment_text(join(places, ", "));
}

std::string shapes_of(const std::vector<std::string>& names, const std::vector<const ir::Value*>& parameters,
                      const std::vector<const ir::Value*>& results) {
  std::vector<std::string> in, out;
  for (size_t i = 0; i < names.size(); ++i) in.push_back(names[i] + ": " + ir::str(parameters[i]->type));
  for (const ir::Value* v : results) out.push_back(ir::str(v->type));
  return comment_text(fmt::format("{} -> {}", fmt::join(in, ", "), fmt::join(out, ", ")));
}

}  // namespace godwit::emit
