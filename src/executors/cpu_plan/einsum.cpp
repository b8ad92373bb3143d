// Einstein sums of two operands as products of matrices.
#include <algorithm>
#include <string>

#include "executors/cpu_plan/products.h"
#include "executors/cpu_plan/rows.h"

namespace godwit::executors::plan {
namespace {

// One label an axis. Axes under an ellipsis get labels that no equation can hold, counted from the last.
struct Labels {
  std::string in[2], out;
};

bool spell_out(std::string& term, size_t rank) {
  const size_t dots = term.find("...");
  if (dots == std::string::npos) return term.size() == rank;
  if (term.size() - 3 > rank) return false;
  std::string hidden;
  for (size_t i = rank - (term.size() - 3); i-- > 0;) hidden += static_cast<char>(1 + i);
  term.replace(dots, 3, hidden);
  return true;
}

bool unique(std::string term) {
  std::sort(term.begin(), term.end());
  return std::adjacent_find(term.begin(), term.end()) == term.end();
}

std::optional<Labels> parse(std::string equation, size_t first, size_t second, size_t result) {
  std::erase(equation, ' ');
  const size_t comma = equation.find(','), arrow = equation.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || equation.find(',', comma + 1) != std::string::npos)
    return std::nullopt;
  Labels labels{{equation.substr(0, comma), equation.substr(comma + 1, arrow - comma - 1)}, equation.substr(arrow + 2)};
  if (!spell_out(labels.in[0], first) || !spell_out(labels.in[1], second) || !spell_out(labels.out, result) ||
      !unique(labels.in[0]) || !unique(labels.in[1]) || !unique(labels.out))
    return std::nullopt;
  return labels;
}

struct Roles {
  std::string batch, left, right, summed;
};

// None where a label is summed within one operand.
std::optional<Roles> roles_of(const Labels& labels) {
  Roles r;
  auto has = [](const std::string& term, char c) { return term.find(c) != std::string::npos; };
  for (char c : labels.out) {
    const bool a = has(labels.in[0], c), b = has(labels.in[1], c);
    if (!a && !b) return std::nullopt;
    (a && b ? r.batch : a ? r.left : r.right) += c;
  }
  for (char c : labels.in[0])
    if (!has(labels.out, c)) {
      if (!has(labels.in[1], c)) return std::nullopt;
      r.summed += c;
    }
  for (char c : labels.in[1])
    if (!has(labels.out, c) && !has(labels.in[0], c)) return std::nullopt;
  return r;
}

// The operand as (batch..., rows, columns): a view where the axes of each side merge, else a copy.
Place matrices(Lowering& l, const ir::Node& node, const Place& from, const std::string& labels,
               const std::string& batch, const std::string& rows, const std::string& columns) {
  Place view{from.buffer, {from.layout.dtype, {}, {}, from.layout.offset}};
  Ints shape;
  for (char c : batch + rows + columns) {
    const size_t axis = labels.find(c);
    view.layout.shape.push_back(from.layout.shape[axis]), view.layout.strides.push_back(from.layout.strides[axis]);
  }
  const Ints& all = view.layout.shape;
  shape.assign(all.begin(), all.begin() + static_cast<int64_t>(batch.size()));
  shape.push_back(product(all, batch.size(), batch.size() + rows.size()));
  shape.push_back(product(all, batch.size() + rows.size(), all.size()));
  Place merged{view.buffer, {}};
  if (!reshaped(view.layout, shape, merged.layout)) {
    merged = l.row_major(node, view);
    merged.layout = Layout::row_major(view.layout.dtype, shape);
  }
  return merged;
}

bool einsum(Lowering& l, const ir::Node& node) {
  if (node.inputs.size() != 2 || !computes_in_float(node.output()->dtype())) return false;
  const Place x = l.place(node.inputs[0]), y = l.place(node.inputs[1]);
  const Ints result = l.shape(node.output());
  const auto labels =
      parse(Attributes(node, l.env()).text("equation"), x.layout.shape.size(), y.layout.shape.size(), result.size());
  const auto roles = labels ? roles_of(*labels) : std::nullopt;
  if (!roles) return false;
  for (char c : roles->batch + roles->summed)  // a size of one that is repeated
    if (x.layout.shape[labels->in[0].find(c)] != y.layout.shape[labels->in[1].find(c)]) return false;
  Place a = matrices(l, node, x, labels->in[0], roles->batch, roles->left, roles->summed);
  const Place b = matrices(l, node, y, labels->in[1], roles->batch, roles->summed, roles->right);
  if (a.layout.strides.back() != 1 && a.layout.shape.back() != 1) a = l.row_major(node, a);
  Ints shape(a.layout.shape.begin(), a.layout.shape.end() - 1);
  shape.push_back(b.layout.shape.back());
  std::vector<int> order;  // of the result's axes in memory
  for (char c : roles->batch + roles->left + roles->right) order.push_back(static_cast<int>(labels->out.find(c)));
  emit_products(l, node, a, b, shape, l.result(node.output(), Layout::ordered(DType::f32, result, order)).ref());
  return true;
}

}  // namespace

Rows einsum_rows() { return {{"einsum", einsum}}; }

}  // namespace godwit::executors::plan
