#include "frontends/torchscript/objects.h"

namespace godwit::frontends::torchscript {

const Values* items_of(const Value& value) {
  if (auto named = as<NamedTupleBox>(value)) return &named->items;
  return value.items();
}

bool same_constant(const Value& a, const Value& b) {
  if (auto x = as<EnumBox>(a)) {
    auto y = as<EnumBox>(b);
    return y && x->class_name == y->class_name && x->name == y->name;
  }
  if (a.data.index() != b.data.index()) return false;
  if (a.is_none()) return true;
  if (auto* x = a.get<bool>()) return *x == *b.get<bool>();
  if (auto* x = a.get<ir::Dim>()) return *x == *b.get<ir::Dim>();
  if (auto* x = a.get<double>()) return *x == *b.get<double>() || (*x != *x && *b.get<double>() != *b.get<double>());
  if (auto* x = a.get<std::complex<double>>()) return *x == *b.get<std::complex<double>>();
  if (auto* x = a.get<std::string>()) return *x == *b.get<std::string>();
  const Values *x = a.items(), *y = b.items();
  if (!x || !y || x->size() != y->size()) return false;
  for (size_t i = 0; i < x->size(); ++i)
    if (!same_constant((*x)[i], (*y)[i])) return false;
  return true;
}

bool identical(const Value& a, const Value& b) {
  if (a.data.index() != b.data.index()) return false;
  if (auto* x = a.get<aten::TensorRef>()) return *x == *b.get<aten::TensorRef>();
  if (auto* x = a.get<aten::RunNumber>()) return x->value == b.get<aten::RunNumber>()->value;
  if (auto* x = a.get<aten::List>()) return x->get() == b.get<aten::List>()->get();
  if (auto* x = a.get<std::shared_ptr<aten::Opaque>>())
    return *x == *b.get<std::shared_ptr<aten::Opaque>>() || same_constant(a, b);
  if (auto* x = a.get<aten::Tuple>()) {
    const Values &p = *x->items, &q = *b.get<aten::Tuple>()->items;
    if (p.size() != q.size()) return false;
    for (size_t i = 0; i < p.size(); ++i)
      if (!identical(p[i], q[i])) return false;
    return true;
  }
  return same_constant(a, b);
}

Value* DictBox::find(const Value& key) {
  for (auto& [k, v] : items)
    if (identical(k, key)) return &v;
  return nullptr;
}

}  // namespace godwit::frontends::torchscript
