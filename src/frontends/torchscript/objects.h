// What TorchScript programs hold besides tensors and numbers: objects, dicts, functions, enum values.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "formats/torchscript/archive.h"
#include "frontends/aten/value.h"

namespace godwit::frontends::torchscript {

using aten::Value;
using aten::Values;
namespace script = formats::torchscript;

// An object of a class of the program: modules and plain objects alike.
struct ObjectBox : aten::Opaque {
  const script::File* file = nullptr;
  const script::Class* type = nullptr;  // null for classes without text (packed parameters)
  std::string class_name;               // "__torch__.torch.nn.modules.conv.Conv2d"
  std::string path;                     // "encoder.0", the names of attributes on the way from the root
  std::map<std::string, const formats::pickle::Node*> pickled;  // attributes that nobody asked for yet
  std::map<std::string, Value> attributes;
};

struct DictBox : aten::Opaque {
  std::vector<std::pair<Value, Value>> items;  // in the order of insertion; keys are texts, numbers or tensors
  Value* find(const Value& key);
};

struct FunctionBox : aten::Opaque {
  const script::File* file = nullptr;
  const script::Function* function = nullptr;
  bool is_forked = false;  // sees the variables around it
};

struct EnumBox : aten::Opaque {
  std::string class_name, name;
  Value value;
};

// Never read by a correct program: stands where a branch does not return.
struct Uninitialized : aten::Opaque {};

// A NamedTuple: the same items, with names.
struct NamedTupleBox : aten::Opaque {
  std::vector<std::string> names;
  Values items;
};

template <class T>
std::shared_ptr<T> as(const Value& value) {
  auto* opaque = value.get<std::shared_ptr<aten::Opaque>>();
  return opaque ? std::dynamic_pointer_cast<T>(*opaque) : nullptr;
}

// Equality of constants (numbers, texts, None, enums, and lists or tuples of them); false for anything else.
bool same_constant(const Value& a, const Value& b);
// Whether two values are the same thing: equal constants, or the same tensor, list, dict or object.
bool identical(const Value& a, const Value& b);

// Items of a list, tuple or named tuple; null for anything else.
const Values* items_of(const Value& value);

}  // namespace godwit::frontends::torchscript
