// Graphs to text. The grammar stands in ir/text.h.
#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "ir/text.h"

namespace godwit::ir {
namespace {

bool is_word(std::string_view s, std::string_view more) {
  if (s.empty() || std::isdigit(static_cast<unsigned char>(s[0])) || s == "as") return false;
  return std::all_of(s.begin(), s.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || more.find(c) != more.npos;
  });
}

bool is_statement(std::string_view s) { return s == "yield" || s == "end" || s == "state" || s == "weight"; }
std::string quote(const std::string& s) { return str(Attr(s)); }
std::string name_text(const std::string& name) { return is_word(name, "") ? name : quote(name); }
std::string op_text(const std::string& op) { return is_word(op, ":-/") && !is_statement(op) ? op : quote(op); }

// Places hold free text; quoted only where the reader would take it apart differently.
std::string place_text(const std::string& s) {
  bool plain =
      s.empty() || (s.front() != ' ' && s.back() != ' ' && s.front() != '"' && s.find('|') == s.npos &&
                    std::none_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  return plain ? s : quote(s);
}

class Printer {
 public:
  std::string graph(const Graph& g) {
    out_ = "graph " + name_text(g.name) + "(";
    for (const Value* v : g.inputs) {
      names_[v] = "%" + name_text(v->name);
      out_ += (v == g.inputs.front() ? "" : ", ") + name_text(v->name) + ": " + str(v->type);
    }
    for (const State& s : g.states) names_[s.before] = "$" + name_text(s.name);
    for (const auto& [name, v] : g.weights) names_[v] = "@" + name_text(name);
    number(g);
    out_ += ") -> (";
    for (size_t i = 0; i < g.outputs.size(); ++i)
      out_ +=
          (i ? ", " : "") + name_text(i < g.output_names.size() ? g.output_names[i] : "") + " = " + use(g.outputs[i]);
    out_ += ")\n";
    for (const State& s : g.states) {
      out_ += "  state " + name_text(s.name) + ": " + str(s.before->type) + " -> " + use(s.after);
      if (s.initial) out_ += " = " + str(Attr(*s.initial));
      out_ += "\n";
    }
    for (const auto& [name, v] : g.weights) out_ += "  weight @" + name_text(name) + ": " + str(v->type) + "\n";
    nodes(g, 1);
    return out_ + "end\n";
  }

 private:
  // Numbers are given in order of definition, before anything is printed: the header names the outputs.
  void number(const Graph& g) {
    for (const auto& node : g.nodes) {
      for (const Value* v : node->outputs) names_[v] = "%" + std::to_string(next_++);
      for (const auto& region : node->regions) {
        for (const Value* v : region->inputs) names_[v] = "%" + std::to_string(next_++);
        number(*region);
      }
    }
  }

  std::string use(const Value* v) const {
    if (!v) return "_";
    auto found = names_.find(v);
    return found == names_.end() ? "%?" : found->second;  // a broken graph still prints
  }

  std::string definition(const Value* v) const { return use(v) + (v->name.empty() ? "" : " as " + name_text(v->name)); }

  void nodes(const Graph& g, size_t depth) {
    for (const auto& node : g.nodes) this->node(*node, depth);
  }

  void node(const Node& n, size_t depth) {
    const std::string indent(2 * depth, ' ');
    out_ += indent;
    for (const Value* v : n.outputs) out_ += (v == n.outputs.front() ? "" : ", ") + definition(v);
    out_ += (n.outputs.empty() ? "" : " = ") + op_text(n.op);
    for (size_t i = 0; i < n.inputs.size(); ++i) out_ += (i ? ", " : " ") + use(n.inputs[i]);
    for (const auto& [name, attr] : n.attrs) out_ += " " + name_text(name) + "=" + str(attr);
    for (const Value* v : n.outputs) out_ += (v == n.outputs.front() ? "  : " : ", ") + str(v->type);
    if (!n.regions.empty()) out_ += " {";
    if (!n.place.empty() || !n.scope.empty()) out_ += "   # " + place_text(n.place);
    if (!n.scope.empty()) out_ += (n.place.empty() ? "| " : " | ") + place_text(n.scope);
    out_ += "\n";
    for (size_t i = 0; i < n.regions.size(); ++i) {
      if (i) out_ += indent + "} {\n";
      region(*n.regions[i], depth + 1);
    }
    if (!n.regions.empty()) out_ += indent + "}\n";
  }

  void region(const Graph& g, size_t depth) {
    const std::string indent(2 * depth, ' ');
    if (!g.inputs.empty()) {
      out_ += indent + "(";
      for (const Value* v : g.inputs) out_ += (v == g.inputs.front() ? "" : ", ") + definition(v) + ": " + str(v->type);
      out_ += ")\n";
    }
    nodes(g, depth);
    out_ += indent + "yield";
    for (size_t i = 0; i < g.outputs.size(); ++i) out_ += (i ? ", " : " ") + use(g.outputs[i]);
    out_ += "\n";
  }

  std::map<const Value*, std::string> names_;
  std::string out_;
  int next_ = 0;
};

}  // namespace

std::string print(const Graph& graph) { return Printer().graph(graph); }

}  // namespace godwit::ir
