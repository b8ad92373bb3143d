#include "ops/op.h"

#include <algorithm>
#include <limits>
#include <map>

#include "ir/text.h"
#include "ops/families.h"

namespace godwit::ops {

const Param* Op::find(std::string_view param) const {
  for (const Param& p : params)
    if (p.name == param) return &p;
  return nullptr;
}

namespace {

struct Table {
  std::vector<Op> rows;
  std::vector<const Op*> list;
  std::map<std::string_view, const Op*> by_name;

  Table() {
    for (Rows (*family)() : families)
      for (Op& op : family()) rows.push_back(std::move(op));
    for (const Op& op : rows) {
      list.push_back(&op);
      require<InternalError>(by_name.emplace(op.name, &op).second, "two rows are called {}", op.name);
    }
  }
};

const Table& table() {
  static const Table instance;
  return instance;
}

}  // namespace

const Op* find(std::string_view name) {
  auto found = table().by_name.find(name);
  return found == table().by_name.end() ? nullptr : found->second;
}

const Op& get(std::string_view name) {
  const Op* op = find(name);
  require<InternalError>(op, "the op table has no row called {}", name);
  return *op;
}

const std::vector<const Op*>& all() { return table().list; }

namespace {

bool fits(const ir::Attr& attr, Param::Kind kind) {
  switch (kind) {
    case Param::Kind::integer: return std::holds_alternative<ir::Dim>(attr);
    case Param::Kind::integers: return std::holds_alternative<ir::Dims>(attr);
    case Param::Kind::real: return std::holds_alternative<double>(attr);
    case Param::Kind::reals: return std::holds_alternative<Reals>(attr);
    case Param::Kind::flag: return std::holds_alternative<bool>(attr);
    case Param::Kind::text: return std::holds_alternative<std::string>(attr);
    case Param::Kind::texts: return std::holds_alternative<Texts>(attr);
    case Param::Kind::dtype: return std::holds_alternative<DType>(attr);
    case Param::Kind::tensor: return std::holds_alternative<Tensor>(attr);
    default: return false;
  }
}

}  // namespace

const ir::Attr& attribute(const ir::Node& node, const Param& param) {
  const ir::Attr* given = node.find(param.name);
  if (!given && param.fallback) return *param.fallback;
  require<InternalError>(given, "[{}] attribute {} is missing", describe(node), param.name);
  require<InternalError>(fits(*given, param.kind), "[{}] attribute {} has the wrong kind", describe(node), param.name);
  return *given;
}

namespace detail {

int to_int(const ir::Dim& dim, const ir::Dim::Env& env) {
  int64_t v = dim.is_known() ? dim.value() : dim.eval(env);
  return static_cast<int>(std::clamp<int64_t>(v, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

ir::Attr parse_default(std::string_view op, std::string_view text, Param::Kind kind) {
  ir::Attr attr = ir::parse_attr(text);
  // "axes=[]" and "scale=1" are written the short way in signatures.
  if (auto* d = std::get_if<ir::Dims>(&attr); d && d->empty() && kind == Param::Kind::reals) attr = Reals{};
  if (auto* d = std::get_if<ir::Dims>(&attr); d && d->empty() && kind == Param::Kind::texts) attr = Texts{};
  if (auto* d = std::get_if<ir::Dim>(&attr); d && kind == Param::Kind::real) attr = static_cast<double>(d->value());
  require<InternalError>(fits(attr, kind), "[{}] default '{}' has the wrong kind", op, text);
  return attr;
}

}  // namespace

std::vector<Param> parse_signature(std::string_view op, std::string_view text, std::vector<Param::Kind> kinds) {
  std::vector<Param> params;
  size_t depth = 0, start = 0;
  auto add = [&](std::string_view piece) {
    piece = trim(piece);
    require<InternalError>(params.size() < kinds.size(),
                           "[{}] the signature names more parameters than the function has", op);
    Param p{.name = {}, .kind = kinds[params.size()], .fallback = {}};
    size_t equals = piece.find('=');
    if (equals != std::string_view::npos) {
      p.fallback = parse_default(op, piece.substr(equals + 1), p.kind);
      piece = piece.substr(0, equals);
    }
    if (piece.ends_with('?')) {
      require<InternalError>(p.kind == Param::Kind::optional_operand, "[{}] '{}' is not an optional operand", op,
                             piece);
      piece.remove_suffix(1);
    }
    p.name = piece;
    params.push_back(std::move(p));
  };
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && (text[i] == '[' || text[i] == '"')) ++depth;
    if (i < text.size() && (text[i] == ']')) --depth;
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      if (!trim(text.substr(start, i - start)).empty()) add(text.substr(start, i - start));
      start = i + 1;
    }
    if (i < text.size() && text[i] == '"' && depth > 1) depth -= 2;
  }
  require<InternalError>(params.size() == kinds.size(), "[{}] the signature names {} parameters, the function has {}",
                         op, params.size(), kinds.size());
  return params;
}

}  // namespace detail

}  // namespace godwit::ops
