// Tensor metadata, dtype numbers and the tree that names a program's outputs.
#include <algorithm>
#include <set>

#include "formats/pt2/json.h"
#include "formats/pt2/pt2.h"

namespace godwit::formats::pt2 {

// The schema's own enumeration, not c10's.
std::optional<DType> dtype_of_schema_code(int64_t code) {
  switch (code) {
    case 1: return DType::u8;
    case 2: return DType::i8;
    case 3: return DType::i16;
    case 4: return DType::i32;
    case 5: return DType::i64;
    case 6: return DType::f16;
    case 7: return DType::f32;
    case 8: return DType::f64;
    case 10: return DType::c64;
    case 11: return DType::c128;
    case 12: return DType::boolean;
    case 13: return DType::bf16;
    case 28: return DType::u16;
    case 29: return DType::f8e4m3fn;
    case 30: return DType::f8e5m2;
    case 31: return DType::f8e4m3fnuz;
    case 32: return DType::f8e5m2fnuz;
    case 33: return DType::f8e8m0;
    case 34: return DType::u32;
    case 35: return DType::u64;
    default: return std::nullopt;
  }
}

namespace {

SymInt size_of(const Place& at) {
  if (at.has("as_int")) return {at["as_int"].integer(), ""};
  if (!at.has("as_expr")) at.fail("neither as_int nor as_expr");
  const std::string& text = at["as_expr"]["expr_str"].text();
  if (text.empty() || text.size() > 20000) at.fail("an expression of {} characters", text.size());
  return {0, text};
}

}  // namespace

TensorMeta read_tensor_meta(const Place& at) {
  TensorMeta m;
  m.dtype_code = at["dtype"].integer();
  m.dtype = dtype_of_schema_code(m.dtype_code);
  at["sizes"].each([&](const Place& p) { m.sizes.push_back(size_of(p)); });
  if (m.sizes.size() > 64) at.fail("a tensor of rank {}", m.sizes.size());
  for (const SymInt& s : m.sizes)
    if (s.expression.empty() && s.value < 0) at.fail("negative size {}", s.value);
  at["strides"].each([&](const Place& p) { m.strides.push_back(size_of(p)); });
  if (!at["storage_offset"].is_null()) m.storage_offset = size_of(at["storage_offset"]);
  m.layout = at["layout"].integer_or(7);
  return m;
}

namespace {

// The keys of a mapping-like tree node; empty where its children have no names.
std::vector<std::string> keys_of(const Place& node, size_t children) {
  if (!node["context"].json().is_string()) return {};
  Json context = Json::parse(node["context"].text(), nullptr, false);
  if (!context.is_array()) return {};
  // Dataclasses: [[fields], [fields that are None]].
  if (context.size() == 2 && context[0].is_array() && context[1].is_array()) context = Json(context[0]);
  std::vector<std::string> keys;
  for (const Json& key : context) {
    if (key.is_string())
      keys.push_back(key.get<std::string>());
    else if (key.is_number_integer())
      keys.push_back(std::to_string(key.get<int64_t>()));
  }
  return keys.size() == children ? keys : std::vector<std::string>{};
}

struct Leaf {
  std::string name;
  bool has_key = false;  // some part of the path is a name, not a position
};

void leaves(const Place& node, const Leaf& at, bool is_root, int depth, std::vector<Leaf>& found) {
  if (depth > 50 || found.size() > 100000) node.fail("the tree of outputs is too large");
  if (node["type"].is_null()) {
    found.push_back(is_root ? Leaf{"output", false} : at);
    return;
  }
  Place children = node["children_spec"];
  std::vector<std::string> keys = keys_of(node, children.size());
  for (size_t i = 0; i < children.size(); ++i) {
    std::string part = keys.empty() ? std::to_string(i) : keys[i];
    std::string prefix = is_root ? (keys.empty() ? "output" : "") : at.name;
    leaves(children.at(i), {prefix.empty() ? part : prefix + "_" + part, at.has_key || !keys.empty()}, false, depth + 1,
           found);
  }
}

}  // namespace

std::vector<std::string> read_output_names(const Place& module, const std::vector<bool>& is_none) {
  std::vector<Leaf> found;
  Place calls = module["module_call_graph"];
  if (!calls.is_null() && calls.size() > 0 && calls.at(0).has("signature") &&
      calls.at(0)["signature"].has("out_spec")) {
    static const std::string where = "out_spec";
    Place calling = calls.at(0);
    Json spec = Json::parse(calling["signature"]["out_spec"].text(), nullptr, false);
    if (spec.is_array() && spec.size() == 2 && spec[1].is_object()) leaves(Place(spec[1], where), {}, true, 0, found);
  }
  if (found.size() != is_none.size()) {
    found.clear();
    for (size_t i = 0; i < is_none.size(); ++i) found.push_back({"output_" + std::to_string(i), false});
  }
  // A single result without a key is just "output".
  const bool single = std::count(is_none.begin(), is_none.end(), false) == 1;
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (size_t i = 0; i < found.size(); ++i) {
    std::string name = single && !is_none[i] && !found[i].has_key ? "output" : found[i].name;
    while (!seen.insert(name).second) name += "_";
    names.push_back(name);
  }
  return names;
}

}  // namespace godwit::formats::pt2
