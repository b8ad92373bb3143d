// Lists, tuples and dicts.
#include <algorithm>

#include "frontends/torchscript/depth.h"
#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {
namespace {

using ir::Dim;
constexpr size_t kMaxItems = 10'000'000;

std::optional<int64_t> known_int(const Value& v) {
  auto* n = v.get<Dim>();
  return n && n->is_known() ? std::optional(n->value()) : std::nullopt;
}

size_t index_of(const Value& index, size_t size) {
  const auto i = known_int(index);
  if (!i) throw UsageError("a list is indexed with a number that only the run will tell");
  const int64_t at = *i < 0 ? *i + static_cast<int64_t>(size) : *i;
  if (at < 0 || at >= static_cast<int64_t>(size)) throw Raised(fmt::format("IndexError: {} in a list of {}", *i, size));
  return static_cast<size_t>(at);
}

// Start, stop and step of a Python slice, settled for `size` items.
template <class Items>
Items sliced(const Items& items, const Values& a) {
  const auto size = static_cast<int64_t>(items.size());
  const int64_t step = a.size() > 3 ? known_int(a[3]).value_or(1) : 1;
  if (step == 0) throw Raised("slice step is zero");
  auto settle = [&](size_t i, int64_t fallback) {
    auto given = a.size() > i ? known_int(a[i]) : std::nullopt;
    if (!given) return fallback;
    const int64_t at = *given < 0 ? *given + size : *given;
    return step > 0 ? std::clamp<int64_t>(at, 0, size) : std::clamp<int64_t>(at, -1, size - 1);
  };
  const int64_t start = settle(1, step > 0 ? 0 : size - 1), stop = settle(2, step > 0 ? size : -1);
  Items out;
  for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) out.push_back(items[static_cast<size_t>(i)]);
  return out;
}

std::optional<Value> on_text(const std::string& op, const std::string& text, const Values& a) {
  if (op == "len") return Value(static_cast<int64_t>(text.size()));
  if (op == "__getitem__") return Value(std::string(1, text[index_of(a[1], text.size())]));
  if (op == "slice") return Value(sliced(text, a));
  if (op == "__contains__" && a[1].is<std::string>()) return Value(text.find(*a[1].get<std::string>()) != text.npos);
  if (op == "list") {
    Values letters;
    for (char c : text) letters.emplace_back(std::string(1, c));
    return Value::list(letters);
  }
  return std::nullopt;
}

std::optional<Value> on_dict(Evaluator& e, const std::string& op, const std::shared_ptr<DictBox>& dict,
                             const Values& a) {
  auto keys = [&] {
    Values out;
    for (auto& [k, v] : dict->items) out.push_back(k);
    return Value::list(out);
  };
  if (op == "len") return Value(static_cast<int64_t>(dict->items.size()));
  if (op == "Bool") return Value(!dict->items.empty());
  if (op == "keys" || op == "list") return keys();
  if (op == "values") {
    Values out;
    for (auto& [k, v] : dict->items) out.push_back(v);
    return Value::list(out);
  }
  if (op == "items") {
    Values out;
    for (auto& [k, v] : dict->items) out.push_back(Value::tuple({k, v}));
    return Value::list(out);
  }
  if (op == "copy" || op == "dict") {
    auto copy = std::make_shared<DictBox>();
    copy->items = dict->items;
    return Value(std::shared_ptr<aten::Opaque>(copy));
  }
  if (op == "clear") {
    e.remember(dict);
    dict->items.clear();
    return Value();
  }
  if (a.size() < 2) return std::nullopt;
  Value* found = dict->find(a[1]);
  if (op == "__contains__") return Value(found != nullptr);
  if (op == "get") return found ? *found : a.size() > 2 ? a[2] : Value();
  if (op == "__getitem__") {
    if (!found) throw Raised(fmt::format("KeyError: {}", text_of(a[1])));
    return *found;
  }
  e.remember(dict);
  if (op == "_set_item" && a.size() == 3) {
    if (found)
      *found = a[2];
    else
      dict->items.emplace_back(a[1], a[2]);
    return Value();
  }
  if (op == "setdefault" && a.size() == 3) {
    if (!found) dict->items.emplace_back(a[1], a[2]);
    return *dict->find(a[1]);
  }
  if (op == "pop" || op == "Delete") {
    if (!found && a.size() > 2) return a[2];
    if (!found) throw Raised(fmt::format("KeyError: {}", text_of(a[1])));
    Value value = *found;
    std::erase_if(dict->items, [&](const auto& item) { return identical(item.first, a[1]); });
    return value;
  }
  if (op == "update") {
    if (auto other = as<DictBox>(a[1]))
      for (auto& [k, v] : other->items) {
        if (Value* mine = dict->find(k))
          *mine = v;
        else
          dict->items.emplace_back(k, v);
      }
    return Value();
  }
  return std::nullopt;
}

std::optional<Value> read_list(const std::string& op, const Values& items, const Values& a) {
  const size_t n = a.size();
  if (op == "len") return Value(static_cast<int64_t>(items.size()));
  if (op == "Bool") return Value(!items.empty());
  if (op == "__getitem__" && n == 2) return items[index_of(a[1], items.size())];
  if (op == "slice") return Value::list(sliced(items, a));
  if (op == "copy" || op == "list" || op == "tolist") return Value::list(items);
  if (op == "size" && n == 2) return items[index_of(a[1], items.size())];
  if (op == "numel") {
    Dim product(1);
    for (const Value& v : items)
      if (auto* d = v.get<Dim>()) product = product * *d;
    return Value(product);
  }
  if (op == "__contains__" && n == 2)
    return Value(std::any_of(items.begin(), items.end(), [&](const Value& v) { return identical(v, a[1]); }));
  if (op == "index" && n == 2) {
    for (size_t i = 0; i < items.size(); ++i)
      if (identical(items[i], a[1])) return Value(static_cast<int64_t>(i));
    throw Raised("ValueError: not in the list");
  }
  if (op == "count" && n == 2)
    return Value(static_cast<int64_t>(
        std::count_if(items.begin(), items.end(), [&](const Value& v) { return identical(v, a[1]); })));
  if (op == "add" && n == 2) {
    const Values* other = items_of(a[1]);
    if (!other) return std::nullopt;
    Values joined = items;
    joined.insert(joined.end(), other->begin(), other->end());
    return Value::list(std::move(joined));
  }
  if (op == "mul" && n == 2) {
    const auto times = known_int(a[1]);
    if (!times) return std::nullopt;
    Values out;
    if (*times > 0 && items.size() > kMaxItems / static_cast<size_t>(*times))
      throw UsageError("a list with too many items");
    for (int64_t i = 0; i < *times; ++i) out.insert(out.end(), items.begin(), items.end());
    return Value::list(std::move(out));
  }
  return std::nullopt;
}

bool less(const Value& a, const Value& b) {
  auto *x = a.get<std::string>(), *y = b.get<std::string>();
  if (x && y) return *x < *y;
  auto number = [](const Value& v) {
    if (auto* d = v.get<double>()) return *d;
    auto n = known_int(v);
    if (!n) throw UsageError("a list of values that only the run will tell is sorted");
    return static_cast<double>(*n);
  };
  return number(a) < number(b);
}

std::optional<Value> write_list(Evaluator& e, const std::string& op, const aten::List& list, const Values& a) {
  const size_t n = a.size();
  Values& items = *list;
  static const char* const words[] = {"append", "extend", "add_",  "insert",  "_set_item", "pop",
                                      "Delete", "remove", "clear", "reverse", "sort"};
  if (std::none_of(std::begin(words), std::end(words), [&](const char* w) { return op == w; })) return std::nullopt;
  e.remember(list);
  if (op == "append" && n == 2) {
    items.push_back(a[1]);
    return a[0];
  }
  if ((op == "extend" || op == "add_") && n == 2) {
    if (const Values* other = items_of(a[1])) {
      const Values copy = *other;
      items.insert(items.end(), copy.begin(), copy.end());
      return a[0];
    }
  }
  if (op == "insert" && n == 3) {
    const auto i = known_int(a[1]);
    if (!i) return std::nullopt;
    const auto size = static_cast<int64_t>(items.size());
    items.insert(items.begin() + std::clamp<int64_t>(*i < 0 ? *i + size : *i, 0, size), a[2]);
    return Value();
  }
  if (op == "_set_item" && n == 3) {
    items[index_of(a[1], items.size())] = a[2];
    return a[0];
  }
  if (op == "pop" || op == "Delete") {
    const size_t i = index_of(n > 1 ? a[1] : Value(-1), items.size());
    Value value = items[i];
    items.erase(items.begin() + static_cast<ptrdiff_t>(i));
    return value;
  }
  if (op == "remove" && n == 2) {
    auto found = std::find_if(items.begin(), items.end(), [&](const Value& v) { return identical(v, a[1]); });
    if (found == items.end()) throw Raised("ValueError: not in the list");
    items.erase(found);
    return Value();
  }
  if (op == "clear") items.clear();
  if (op == "reverse") std::reverse(items.begin(), items.end());
  if (op == "sort") {
    std::stable_sort(items.begin(), items.end(), less);
    if (n > 1 && a[1].get<bool>() && *a[1].get<bool>()) std::reverse(items.begin(), items.end());
  }
  return Value();
}

}  // namespace

std::optional<Value> call_container_builtin(Evaluator& e, const std::string& name, const Values& arguments) {
  const std::string op = name.substr(name.find("::") + 2);
  if (op == "dict") {
    auto dict = std::make_shared<DictBox>();
    if (!arguments.empty()) {
      if (auto other = as<DictBox>(arguments[0]))
        dict->items = other->items;
      else if (const Values* pairs = items_of(arguments[0]))
        for (const Value& pair : *pairs)
          if (const Values* kv = items_of(pair); kv && kv->size() == 2) dict->items.emplace_back((*kv)[0], (*kv)[1]);
    }
    return Value(std::shared_ptr<aten::Opaque>(dict));
  }
  if (arguments.empty()) return std::nullopt;
  const Value& first = arguments[0];
  if ((op == "__is__" || op == "__isnot__") && arguments.size() == 2) {
    const bool same = identical(first, arguments[1]);
    return Value(same == (op == "__is__"));
  }
  if (op == "mul" && arguments.size() == 2 && items_of(arguments[1]))
    return read_list(op, *items_of(arguments[1]), {arguments[1], first});
  if (auto* text = first.get<std::string>()) return on_text(op, *text, arguments);
  if (auto dict = as<DictBox>(first)) return on_dict(e, op, dict, arguments);
  const Values* items = items_of(first);
  if (!items) return std::nullopt;
  if (op == "sorted") {
    Values copy = *items;
    std::stable_sort(copy.begin(), copy.end(), less);
    return Value::list(std::move(copy));
  }
  if (op == "sum" && arguments.size() == 1) {
    std::optional<Value> total = Value(0);
    for (const Value& v : *items) {
      if (!v.is_number() || !total) return std::nullopt;
      total = call_number_builtin(e, "aten::add", {*total, v});
    }
    return total;
  }
  if ((op == "all" || op == "any") && arguments.size() == 1) {
    for (const Value& v : *items) {
      const auto known = e.known_truth(v);
      if (!known) return std::nullopt;
      if (*known != (op == "all")) return Value(op == "any");
    }
    return Value(op == "all");
  }
  if (op == "join") return std::nullopt;
  if (auto* list = first.get<aten::List>())
    if (auto result = write_list(e, op, *list, arguments)) return result;
  return read_list(op, *items, arguments);
}

}  // namespace godwit::frontends::torchscript
