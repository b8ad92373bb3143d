// From the pickled root object and constants to values of the evaluator. Attributes are bound when first read, so that
// what the program does not use costs nothing.
#include "frontends/torchscript/depth.h"
#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {
namespace {

using formats::pickle::Node;
using Kind = Node::Kind;
constexpr int kMaxDepth = 200;
// Constant tensors up to this many elements are nodes of the graph (shape arithmetic folds them), larger ones weights.
constexpr int64_t kInlineConstant = 64;

// "__torch__.a.b C" -> "__torch__.a.b.C"
std::string class_name_of(const Node& global) {
  std::string name = global.text;
  const size_t space = name.find(' ');
  if (space != name.npos) name[space] = '.';
  return name;
}

}  // namespace

Value Evaluator::bind(const Node& node, const std::string& path, bool in_constants, int depth) {
  if (depth > kMaxDepth) fail("the pickled object is nested too deep");
  switch (node.kind) {
    case Kind::none: return {};
    case Kind::boolean: return node.flag;
    case Kind::integer: return node.integer;
    case Kind::real: return node.real;
    case Kind::text: return node.text;
    default: break;
  }
  // Things with identity: a module used twice is one object, a list shared by two attributes is one list.
  // Not so for constants, whose nodes belong to the block that uses them.
  auto found = bound_.find(&node);
  if (found != bound_.end() && !in_constants) return found->second;
  auto items = [&] {
    Values out;
    for (size_t i = 0; i < node.items.size(); ++i)
      out.push_back(bind(*node.items[i], fmt::format("{}.{}", path, i), in_constants, depth + 1));
    return out;
  };
  Value value;
  switch (node.kind) {
    case Kind::list: value = Value::list(items()); break;
    case Kind::tuple: value = Value::tuple(items()); break;
    case Kind::dict: {
      auto dict = std::make_shared<DictBox>();
      for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
        Value key = bind(*node.items[i], path, in_constants, depth + 1);
        Value item = bind(*node.items[i + 1], fmt::format("{}.{}", path, text_of(key)), in_constants, depth + 1);
        dict->items.emplace_back(std::move(key), std::move(item));
      }
      value = Value(std::shared_ptr<aten::Opaque>(dict));
      break;
    }
    case Kind::object: value = bind_object(node, path, depth); break;
    case Kind::call: value = bind_call(node, path, in_constants, depth); break;
    default: fail(fmt::format("attribute {} holds something that is not supported", path));
  }
  bound_[&node] = value;
  return value;
}

Value Evaluator::bind_call(const Node& node, const std::string& path, bool in_constants, int depth) {
  if (formats::is_tensor_call(node)) return bind_tensor(node, path, in_constants);
  const std::string& name = node.target->text;
  const auto& arguments = node.args->items;
  if (name.starts_with("torch.jit._pickle ") && !arguments.empty())
    return bind(*arguments[0], path, in_constants, depth + 1);
  if (name == "torch device" && !arguments.empty()) return bind(*arguments[0], path, in_constants, depth + 1);
  if (name.ends_with(" complex") && arguments.size() == 2 && arguments[0]->is(Kind::real) &&
      arguments[1]->is(Kind::real))
    return std::complex<double>(arguments[0]->real, arguments[1]->real);
  if (name == "collections OrderedDict") return Value(std::shared_ptr<aten::Opaque>(std::make_shared<DictBox>()));
  if (name.starts_with("__torch__") && arguments.size() == 1) {
    const std::string type = class_name_of(*node.target);
    const Value wanted = bind(*arguments[0], path, in_constants, depth + 1);
    auto found = archive_->find(type);
    if (found && found->type && found->type->base == "Enum")
      for (const auto& m : found->type->members) {
        if (m.kind != script::Member::Kind::enumerator) continue;
        auto box = std::make_shared<EnumBox>();
        box->class_name = type;
        box->name = m.name;
        box->value = evaluate_default(*found->file, *m.value);
        if (same_constant(box->value, wanted)) return Value(std::shared_ptr<aten::Opaque>(box));
      }
  }
  fail(fmt::format("attribute {} is made by {}, which is not supported", path, class_name_of(*node.target)));
}

Value Evaluator::bind_object(const Node& node, const std::string& path, int depth) {
  auto object = std::make_shared<ObjectBox>();
  object->class_name = class_name_of(*node.target);
  object->path = path;
  if (object->class_name.find("torch.classes.") != std::string::npos)
    fail(fmt::format("{} is a {}: packed parameters of quantized modules are not supported", path, object->class_name));
  auto found = archive_->find(object->class_name);
  if (!found || !found->type) fail(fmt::format("class {} is not in the archive", object->class_name));
  object->file = found->file;
  object->type = found->type;
  const Value value{std::shared_ptr<aten::Opaque>(object)};
  bound_[&node] = value;  // before its attributes: they may refer to it
  if (!node.state) return value;
  if (node.state->is(Kind::dict) && !find_method(*object, "__setstate__")) {
    const auto& items = node.state->items;
    for (size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i]->is(Kind::text)) object->pickled[items[i]->text] = items[i + 1];
  } else {
    call_method(object, "__setstate__", {bind(*node.state, path, false, depth + 1)});
  }
  return value;
}

Value Evaluator::bind_tensor(const Node& node, const std::string& path, bool in_constants) {
  const auto read = archive_->tensor(node, in_constants);
  const Tensor tensor = read.tensor.contiguous();
  if (in_constants && tensor.size() <= kInlineConstant) return session_.tensor(builder_.constant(tensor));
  pickled_tensors_[path] = tensor;
  const aten::TensorRef ref = session_.heap.make(builder_.weight(path, tensor));
  if (!in_constants) held_.push_back({path, ref, ref.read(), read.tensor});
  return ref;
}

const Tensor* Evaluator::pickled_tensor(const std::string& path) const {
  auto found = pickled_tensors_.find(path);
  return found == pickled_tensors_.end() ? nullptr : &found->second;
}

Value Evaluator::constant(size_t index) {
  const auto& nodes = archive_->constants();
  if (index >= nodes.size()) fail(fmt::format("constant {} of {}", index, nodes.size()));
  return bind(*nodes[index], fmt::format("constants.c{}", index), true, 0);
}

Value Evaluator::class_constant(const ObjectBox& object, const std::string& name, bool* found) {
  *found = false;
  if (!object.type) return {};
  for (const auto& m : object.type->members) {
    if (m.kind != script::Member::Kind::constant || m.name != name) continue;
    *found = true;
    return evaluate_default(*object.file, *m.value);
  }
  return {};
}

}  // namespace godwit::frontends::torchscript
