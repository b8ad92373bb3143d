// From an archive to a module: inputs, state that the program keeps in attributes, outputs.
#include <algorithm>

#include "formats/torchscript/printer.h"
#include "frontends/frontend.h"
#include "frontends/input_value.h"
#include "frontends/shared_memory.h"
#include "frontends/torchscript/depth.h"
#include "frontends/torchscript/evaluator.h"
#include "frontends/torchscript/steady.h"

namespace godwit::frontends {
namespace torchscript {
namespace {

using formats::pickle::Node;
using script::Expr;

// Lists and dicts are wrapped in the call that gives them their type.
const Node* untagged(const Node* node) {
  const bool is_tagged = node && node->is(Node::Kind::call) && node->target->text.starts_with("torch.jit._pickle ");
  return is_tagged && !node->args->items.empty() ? node->args->items[0] : node;
}

// Shape and dtype of an example input that a traced module keeps.
std::optional<ir::Type> traced_type(const script::Archive& archive, size_t i) {
  const Node* root = untagged(archive.traced_inputs());
  const Node* list = untagged(root && root->is(Node::Kind::dict) ? root->find("forward") : nullptr);
  if (!list || i >= list->items.size()) return std::nullopt;
  const Node* call = list->items[i];
  if (!formats::is_tensor_call(*call) || call->args->items.size() < 3) return std::nullopt;
  const Node *id = call->args->items[0], *shape = call->args->items[2];
  if (!id->is(Node::Kind::persistent) || !id->args->is(Node::Kind::tuple) || id->args->items.size() < 2)
    return std::nullopt;
  const std::string& storage = id->args->items[1]->text;
  const auto dtype = formats::storage_dtype(std::string_view(storage).substr(storage.find(' ') + 1));
  if (!dtype) return std::nullopt;
  ir::Type type{*dtype, ir::Shape{}, false};
  for (const Node* d : shape->items) type.shape->push_back(ir::Dim(d->integer));
  return type;
}

class Import {
 public:
  Import(std::shared_ptr<script::Archive> archive, const ImportOptions& options, const Plan& plan)
      : archive_(std::move(archive)),
        options_(options),
        plan_(plan),
        module_(round_.imported.module),
        graph_(module_.graphs["main"]),
        builder_(module_, graph_),
        evaluator_(archive_, builder_) {}

  Round run() {
    graph_.name = "main";
    round_.imported.format = "torchscript";
    declare_states();
    const script::Function* forward = evaluator_.find_method(*evaluator_.root(), "forward");
    if (!forward) raise<FileError>("{}: the module has no method forward", archive_->name());
    Values arguments;
    for (size_t i = 1; i < forward->parameters.size(); ++i)
      arguments.push_back(argument(forward->parameters[i], i - 1));
    check_options(*forward);
    try {
      const Value result = evaluator_.call_method(evaluator_.root(), "forward", arguments);
      finish(result);
    } catch (const Blocked& error) {
      round_.is_blocked = true;
      round_.imported.warnings.push_back(fmt::format("the translation stops early: {}", error.what()));
    }
    for (const auto& [text, count] : evaluator_.session().warnings) round_.imported.warnings.push_back(text);
    round_.imported.source_nodes = evaluator_.source_nodes();
    module_.metadata["source"] = archive_->name();
    module_.metadata["format"] = "torchscript";
    return std::move(round_);
  }

 private:
  void declare_states() {
    for (const auto& [path, value] : plan_.constants) evaluator_.override_attribute(path, value);
    for (const auto& [path, planned] : plan_.states) {
      ir::Value* state = graph_.add_state(path, planned.type, planned.initial);
      evaluator_.override_attribute(path,
                                    planned.is_number ? number_of(state) : Value(evaluator_.session().tensor(state)));
    }
  }
  Value number_of(ir::Value* v) {
    if (v->dtype() == DType::i64) return builder_.read_one(v);
    return aten::RunNumber{v};
  }

  const ImportOptions::Input* option(const std::string& name) const {
    auto found = options_.inputs.find(name);
    return found == options_.inputs.end() ? nullptr : &found->second;
  }
  void check_options(const script::Function& forward) const {
    for (const auto& [name, input] : options_.inputs) {
      const bool known = std::any_of(forward.parameters.begin() + 1, forward.parameters.end(),
                                     [&](const auto& p) { return p.name == name || name.starts_with(p.name + "_"); });
      if (known) continue;
      std::string names;
      for (size_t i = 1; i < forward.parameters.size(); ++i) names += (i > 1 ? ", " : "") + forward.parameters[i].name;
      raise<UsageError>("no input named {}; forward takes {}", name, names);
    }
  }

  Value argument(const script::Parameter& p, size_t i) {
    const std::string type = p.type ? script::print(*p.type) : "Tensor";
    const ImportOptions::Input* given = option(p.name);
    if (type == "int" || type == "float" || type == "bool") return number_argument(p, type, given);
    if (type == "Tensor" || (given && (given->shape || given->value)) ||
        (type == "Optional[Tensor]" && traced_type(*archive_, i)))
      return tensor_argument(p, i, given);
    if (type == "List[Tensor]") {
      Values items;
      for (int k = 0; option(fmt::format("{}_{}", p.name, k)); ++k)
        items.push_back(tensor_input(fmt::format("{}_{}", p.name, k), std::nullopt));
      if (!items.empty()) return Value::list(std::move(items));
    }
    if (p.fallback) return evaluator_.evaluate_default(*evaluator_.root()->file, *p.fallback);
    if (type.starts_with("Optional[")) return {};
    raise<UsageError>("input {} of type {} is not supported: give {}_0=SHAPE, {}_1=SHAPE ... for a list of tensors",
                      p.name, type, p.name, p.name);
  }
  Value number_argument(const script::Parameter& p, const std::string& type, const ImportOptions::Input* given) {
    if (given && given->value) {
      require<UsageError>(given->value->size() == 1, "input {} is one {}, its value has {} elements", p.name, type,
                          given->value->size());
      if (type == "int") return given->value->integer(0);
      if (type == "bool") return given->value->number(0) != 0;
      return given->value->number(0);
    }
    if (p.fallback && !given) return evaluator_.evaluate_default(*evaluator_.root()->file, *p.fallback);
    const DType dtype = type == "int" ? DType::i64 : type == "bool" ? DType::boolean : DType::f32;
    return number_of(graph_.add_input(p.name, {dtype, ir::Shape{}, false}));
  }
  Value tensor_argument(const script::Parameter& p, size_t i, const ImportOptions::Input* given) {
    const auto traced = traced_type(*archive_, i);
    if (given) {
      const auto value = traced ? given_value(*given, *traced, p.name) : given->value;
      if (value) return evaluator_.session().tensor(builder_.constant(*value));
    }
    if (!given && !traced && p.fallback) return evaluator_.evaluate_default(*evaluator_.root()->file, *p.fallback);
    return tensor_input(p.name, traced);
  }
  Value tensor_input(const std::string& name, std::optional<ir::Type> traced) {
    ir::Type type = traced.value_or(ir::Type{});
    const ImportOptions::Input* given = option(name);
    if (given && given->shape) type.shape = given->shape;
    if (given && given->dtype) type.dtype = *given->dtype;
    require<UsageError>(type.shape.has_value(),
                        "the file does not say the shape of input {}: give it with --input {}=SHAPE[:DTYPE]", name,
                        name);
    return evaluator_.session().tensor(graph_.add_input(name, type));
  }

  // The names of tools/reference/names.py: paths of keys and positions, joined by "_".
  void add_outputs(const Value& value, const std::string& path, bool opens_with_position, int depth) {
    if (depth > 50 || value.is_none()) return;
    auto child = [&](const std::string& key) { return path.empty() ? key : path + "_" + key; };
    if (auto named = as<NamedTupleBox>(value)) {
      for (size_t i = 0; i < named->items.size(); ++i)
        add_outputs(named->items[i], child(named->names[i]), path.empty() ? false : opens_with_position, depth + 1);
      return;
    }
    if (auto dict = as<DictBox>(value)) {
      for (const auto& [key, item] : dict->items)
        add_outputs(item, child(text_of(key)), path.empty() ? false : opens_with_position, depth + 1);
      return;
    }
    if (const Values* items = items_of(value)) {
      for (size_t i = 0; i < items->size(); ++i)
        add_outputs((*items)[i], child(std::to_string(i)), path.empty() ? true : opens_with_position, depth + 1);
      return;
    }
    ir::Value* v = output_value(value);
    leaves_.push_back({path, opens_with_position, v});
  }
  ir::Value* output_value(const Value& value) {
    if (auto* t = value.get<aten::TensorRef>()) return t->read();
    if (auto* n = value.get<ir::Dim>()) return builder_.dim(*n);
    if (auto* run = value.get<aten::RunNumber>())  // Python's floats are doubles
      return builder_.cast(run->value, is_float(run->value->dtype()) ? DType::f64 : run->value->dtype());
    if (auto* b = value.get<bool>()) return builder_.scalar(DType::boolean, *b);
    if (auto* d = value.get<double>()) return builder_.scalar(DType::f64, *d);
    raise<UsageError>("an output of type {} is not supported", describe(value));
  }

  void finish(const Value& result) {
    add_outputs(result, "", false, 0);
    for (const Leaf& leaf : leaves_) {
      std::string name = leaf.path;
      if (leaf.opens_with_position) name = leaves_.size() == 1 ? "output" : "output_" + name;
      if (name.empty()) name = "output";
      graph_.add_output(name, leaf.value);
    }
    for (const auto& [path, written] : evaluator_.written())
      if (written.was_read) keep_written(path, written.before, evaluator_.get_attribute(written.object, written.name));
    for (const auto& held : evaluator_.held_tensors())
      if (held.ref.read() != held.before && !evaluator_.written().contains(held.path)) keep_written_in_place(held);
    for (auto& state : graph_.states)
      if (!state.after) state.after = state.before;
  }
  void keep_written_in_place(const Evaluator::Held& held) {
    for (const auto& other : evaluator_.held_tensors())
      require<UsageError>(other.path == held.path || !share_memory(other.stored, held.stored),
                          "{}: the program writes to '{}', which shares its memory with '{}'", archive_->name(),
                          held.path, other.path);
    keep_written(held.path, held.ref, held.ref);
  }
  void keep_written(const std::string& path, const Value& before, const Value& after) {
    auto state =
        std::find_if(graph_.states.begin(), graph_.states.end(), [&](const auto& s) { return s.name == path; });
    if (state != graph_.states.end()) state->after = builder_.cast(output_value(after), state->before->dtype());
    Written& written = round_.written[path];
    written.before = before;
    written.after = after;
    if (auto* t = after.get<aten::TensorRef>()) {
      written.type = t->type();
      if (const Tensor* held = evaluator_.pickled_tensor(path)) written.pickled = *held;
      if (plan_.shows_states) graph_.add_output(state_output_name(path), t->read());
    }
  }

  struct Leaf {
    std::string path;
    bool opens_with_position;
    ir::Value* value;
  };
  std::shared_ptr<script::Archive> archive_;
  const ImportOptions& options_;
  const Plan& plan_;
  Round round_;
  ir::Module& module_;
  ir::Graph& graph_;
  ops::Builder builder_;
  Evaluator evaluator_;
  std::vector<Leaf> leaves_;
};

}  // namespace

Round import_round(const std::shared_ptr<script::Archive>& archive, const ImportOptions& options, const Plan& plan) {
  return Import(archive, options, plan).run();
}

}  // namespace torchscript

Imported import_torchscript(const std::filesystem::path& path, const ImportOptions& options) {
  auto archive = formats::torchscript::Archive::open(path);
  return torchscript::import_steady(archive, options);
}

}  // namespace godwit::frontends
