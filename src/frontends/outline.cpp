#include "frontends/outline.h"

#include <set>

#include "base/error.h"
#include "formats/detect.h"
#include "formats/onnx/onnx.h"
#include "formats/torchscript/archive.h"
#include "formats/torchscript/printer.h"

namespace godwit::frontends {
namespace {

namespace script = formats::torchscript;
using formats::pickle::Node;

constexpr int deepest = 100;  // nesting of modules

class ScriptOutline {
 public:
  explicit ScriptOutline(const script::Archive& archive) : archive_(archive) {}

  Outline run() {
    const Node& root = archive_.root_object();
    if (root.target)
      if (const script::Function* forward = forward_of(root)) add_inputs(*forward);
    for (const std::string& path : archive_.code_files())
      if (const script::File* file = archive_.file(path)) count(*file);
    add_tensors(root, "", 0);
    return std::move(out_);
  }

 private:
  const script::Function* forward_of(const Node& root) const {
    std::string name = root.target->text;
    if (const size_t space = name.find(' '); space != name.npos) name[space] = '.';
    const auto found = archive_.find(name);
    if (!found || !found->type) return nullptr;
    for (const script::Member& m : found->type->members)
      if (m.kind == script::Member::Kind::method && m.method->name == "forward") return m.method.get();
    return nullptr;
  }

  void add_inputs(const script::Function& forward) {
    for (size_t i = 1; i < forward.parameters.size(); ++i) {  // without self
      const script::Parameter& p = forward.parameters[i];
      out_.inputs.push_back({p.name, p.type ? script::print(*p.type) : "Tensor", p.fallback != nullptr});
    }
  }

  // The parser has bounded the depth of statements and expressions.
  void count(const script::File& file) {
    for (const auto& item : file.items) {
      if (item.function) count(item.function->body);
      if (!item.type) continue;
      for (const script::Member& m : item.type->members)
        if (m.method) count(m.method->body);
    }
  }
  void count(const std::vector<script::Stmt>& body) {
    for (const script::Stmt& s : body) {
      for (const script::Expr& target : s.targets) count(target);
      if (s.value) count(*s.value);
      count(s.body);
      count(s.orelse);
      if (s.function) count(s.function->body);
      if (s.kind == script::Stmt::Kind::if_else) ++out_.ops["prim::If"];
      if (s.kind == script::Stmt::Kind::for_range || s.kind == script::Stmt::Kind::while_loop) ++out_.ops["prim::Loop"];
    }
  }
  void count(const script::Expr& e) {
    if (e.kind == script::Expr::Kind::call && !e.items.empty())
      if (const std::string name = script::print(e.items[0]); !name.empty()) count_call(name);
    for (const script::Expr& item : e.items) count(item);
  }
  void count_call(const std::string& name) {
    if (name.starts_with("torch.")) ++out_.ops["aten::" + name.substr(6)];
    if (!name.starts_with("ops.")) return;
    const size_t dot = name.find('.', 4);
    if (dot != name.npos) ++out_.ops[name.substr(4, dot - 4) + "::" + name.substr(dot + 1)];
  }

  void add_tensors(const Node& node, const std::string& path, int depth) {
    require<FileError>(depth < deepest, "{}: modules are nested more than {} deep", archive_.name(), deepest);
    if (formats::is_tensor_call(node)) {
      out_.tensors.emplace(path, archive_.tensor(node, false).tensor);
      return;
    }
    if (!node.state || !node.state->is(Node::Kind::dict) || !seen_.insert(&node).second) return;
    const auto& items = node.state->items;
    for (size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i]->is(Node::Kind::text))
        add_tensors(*items[i + 1], path.empty() ? items[i]->text : path + "." + items[i]->text, depth + 1);
  }

  const script::Archive& archive_;
  std::set<const Node*> seen_;
  Outline out_;
};

std::string type_text(const onnx::ValueType& type) {
  using Kind = onnx::ValueType::Kind;
  if (type.kind == Kind::sequence) return "sequence";
  if (type.kind == Kind::optional) return "optional";
  return type.dtype ? std::string(long_name(*type.dtype)) + "[?]" : "?";
}

void count(const onnx::Graph& graph, std::map<std::string, int>& ops) {
  for (const onnx::Node& node : graph.nodes) {
    ++ops[node.domain.empty() || node.domain == "ai.onnx" ? node.op : node.domain + "." + node.op];
    for (const onnx::Attribute& a : node.attributes)
      if (a.graph) count(*a.graph, ops);
  }
}

Outline onnx_outline(const onnx::Model& model) {
  Outline out;
  std::set<std::string> initialized;
  for (const onnx::NamedTensor& t : model.graph.initializers) {
    initialized.insert(t.name);
    if (t.tensor.dtype != DType::text) out.tensors.emplace(t.name, t.tensor);
  }
  for (const onnx::ValueInfo& v : model.graph.inputs)
    if (!initialized.contains(v.name)) out.inputs.push_back({v.name, type_text(v.type), false});
  for (const onnx::ValueInfo& v : model.graph.outputs) out.outputs.push_back(v.name);
  count(model.graph, out.ops);
  return out;
}

}  // namespace

std::optional<Outline> outline(const std::filesystem::path& path) {
  switch (formats::detect(path)) {
    case formats::Format::torchscript: return ScriptOutline(*script::Archive::open(path)).run();
    case formats::Format::onnx: return onnx_outline(onnx::read_model(path));
    default: return std::nullopt;
  }
}

}  // namespace godwit::frontends
