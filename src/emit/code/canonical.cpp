#include "emit/code/canonical.h"

#include "base/error.h"
#include "ir/text.h"

namespace godwit::emit {

namespace {

class Writer {
 public:
  Writer(const Program& program, size_t depth) : program_(program), depth_(depth) {}

  Canonical write(const std::vector<Statement>& body, const Interface& interface) {
    for (const ir::Value* v : interface.inputs) define(v);
    statements(body);
    out_.text += "->";
    for (const ir::Value* v : interface.outputs) out_.text += " " + id(v);
    return std::move(out_);
  }

 private:
  void define(const ir::Value* v) {
    const std::string name = "v" + std::to_string(values_.size());
    values_[v] = name + (v->type.sequence ? "s" : "");
    if (!v->type.shape) return;
    for (size_t i = 0; i < v->shape().size(); ++i)
      if (auto s = v->shape()[i].as_symbol()) symbols_.emplace(*s, name + "." + std::to_string(i));
  }

  std::string id(const ir::Value* v) {
    if (!v) return "_";
    if (auto found = values_.find(v); found != values_.end()) return found->second;
    if (is_weight(program_, v)) {
      out_.weights.push_back(v);
      return values_[v] = "w" + std::to_string(out_.weights.size()) + std::string(name(v->dtype()));
    }
    if (is_constant(v)) return ir::str(ir::Attr(constant_value(v)));
    raise<InternalError>("value {} is read before it is made", v->name);
  }

  // A symbol by the place that tells it; one that no place tells is handed over by the caller.
  std::string symbol(const std::string& s) {
    if (auto found = symbols_.find(s); found != symbols_.end()) return found->second;
    out_.symbols.push_back(s);
    return symbols_[s] = "s" + std::to_string(out_.symbols.size());
  }

  ir::Dim dim(const ir::Dim& d) {
    return d.substitute([&](const std::string& s) { return std::optional(ir::Dim::symbol(symbol(s))); });
  }

  std::string attr(const ir::Attr& a) {
    if (const auto* d = std::get_if<ir::Dim>(&a)) return dim(*d).str();
    const auto* list = std::get_if<ir::Dims>(&a);
    if (!list) return ir::str(a);
    ir::Dims renamed;
    for (const ir::Dim& d : *list) renamed.push_back(dim(d));
    return ir::str(renamed);
  }

  void node(const Statement& s) {
    out_.text += s.node->op + "(";
    for (const ir::Value* v : s.node->inputs) out_.text += id(v) + ",";
    out_.text += ")";
    for (const auto& [name, a] : s.node->attrs)
      if (s.node->op != "bind") out_.text += " " + name + "=" + attr(a);
    if (s.node->op == "bind") {
      size_t i = 0;
      for (const std::string& bound : std::get<std::vector<std::string>>(*s.node->find("symbols")))
        symbols_.emplace(bound, "b" + std::to_string(binds_) + "." + std::to_string(i++));
      ++binds_;
    }
    for (size_t r = 0; r < s.regions.size(); ++r) {
      const ir::Graph& region = *s.node->regions[r];
      out_.text += "{";
      for (const ir::Value* v : region.inputs) define(v);
      statements(s.regions[r]);
      out_.text += "yield";
      for (const ir::Value* v : region.outputs) out_.text += " " + id(v);
      out_.text += "}";
    }
    for (const ir::Value* v : s.node->outputs) define(v);
    out_.text += std::to_string(s.node->outputs.size()) + "\n";
  }

  void call(const Statement& s) {
    std::vector<std::string> below(s.scope.begin() + static_cast<std::ptrdiff_t>(std::min(depth_, s.scope.size())),
                                   s.scope.end());
    out_.text +=
        fmt::format("call {} {} {}+{} (", static_cast<const void*>(s.block), join(below), s.first_index, s.count);
    for (const ir::Value* v : s.arguments) out_.text += id(v) + ",";
    for (const std::string& name : s.symbols) out_.text += symbol(name) + ",";
    out_.text += ")\n";
    for (const ir::Value* v : s.results) define(v);
  }

  void statements(const std::vector<Statement>& body) {
    for (const Statement& s : body) {
      if (s.kind == Statement::Kind::node)
        node(s);
      else
        call(s);
    }
  }

  const Program& program_;
  size_t depth_;
  int binds_ = 0;
  Canonical out_;
  std::map<const ir::Value*, std::string> values_;
  std::map<std::string, std::string> symbols_;
};

}  // namespace

Canonical canonical(const Program& program, const std::vector<Statement>& body, const Interface& interface,
                    size_t depth) {
  return Writer(program, depth).write(body, interface);
}

}  // namespace godwit::emit
