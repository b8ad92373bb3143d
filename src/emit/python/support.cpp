#include "emit/python/support.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "base/error.h"

namespace godwit::emit {

namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

// "def softmax(x):" -> "softmax", "_SIZES = {" -> "_SIZES", anything else -> "".
std::string defined_name(const std::string& line) {
  const size_t start = line.starts_with("def ") ? 4 : 0;
  size_t end = start;
  while (end < line.size() && (std::isalnum(static_cast<unsigned char>(line[end])) || line[end] == '_')) ++end;
  const bool is_definition = start == 4 || line.substr(end).starts_with(" = ");
  return is_definition ? line.substr(start, end - start) : "";
}

// Names that are called, and all that start with an underscore. Attributes (x.reshape) are no references.
std::set<std::string> references_of(const std::string& text) {
  std::set<std::string> out;
  std::string word;
  char before = ' ';
  for (char c : text + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
      word += c;
      continue;
    }
    if (!word.empty() && before != '.' && (c == '(' || word[0] == '_')) out.insert(word);
    before = c;
    word.clear();
  }
  return out;
}

std::vector<Twin> parse() {
  std::vector<Twin> out;
  std::string comment;
  for (const std::string& line : lines_of(twin_sources)) {
    const std::string name = defined_name(line);
    if (line.starts_with('#')) {
      comment += line + "\n";
    } else if (!name.empty()) {
      out.push_back({name, comment + line + "\n", {}});
      comment.clear();
    } else if (line.empty() || line.starts_with("import ") || line.starts_with("\"\"\"")) {
      if (line.empty() && !out.empty() && comment.empty()) out.back().text += "\n";
      if (!line.empty()) comment.clear();
    } else {
      require<InternalError>(!out.empty(), "python/ops: '{}' stands before the first definition", line);
      out.back().text += line + "\n";
    }
  }
  std::set<std::string> names;
  for (Twin& t : out) {
    while (t.text.ends_with("\n\n")) t.text.pop_back();
    require<InternalError>(names.insert(t.name).second, "python/ops: {} is defined twice", t.name);
  }
  for (Twin& t : out)
    for (const std::string& word : references_of(t.text))
      if (word != t.name && names.count(word)) t.needs.insert(word);
  return out;
}

}  // namespace

const std::vector<Twin>& twins() {
  static const std::vector<Twin> all = parse();
  return all;
}

bool has_twin(std::string_view name) {
  return std::any_of(twins().begin(), twins().end(), [&](const Twin& t) { return t.name == name; });
}

std::string ops_py(const std::set<std::string>& functions) {
  std::map<std::string_view, const Twin*> by_name;
  for (const Twin& t : twins()) by_name[t.name] = &t;
  std::set<std::string> wanted;
  std::vector<std::string> open(functions.begin(), functions.end());
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    if (!wanted.insert(name).second) continue;
    auto twin = by_name.find(name);
    require<InternalError>(twin != by_name.end(), "op {} has no Python twin", name);
    open.insert(open.end(), twin->second->needs.begin(), twin->second->needs.end());
  }
  std::string out =
      "\"\"\"The operations that model.py is made of, where MLX has no function of the same meaning.\"\"\"\n";
  std::string body;
  for (const Twin& t : twins())
    if (wanted.count(t.name)) body += "\n\n" + t.text;
  const bool uses_builtins = body.find("builtins.") != std::string::npos,
             uses_math = body.find("math.") != std::string::npos;
  if (uses_builtins) out += "import builtins\n";
  if (uses_math) out += "import math\n";
  if (uses_builtins || uses_math) out += "\n";
  out += "import mlx.core as mx\n";
  if (body.find("np.") != std::string::npos) out += "import numpy as np\n";
  return out + body;
}

}  // namespace godwit::emit
