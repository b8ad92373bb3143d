// TfIdfVectorizer over numbers: how often each n-gram of a list occurs, with gaps of up to max_skip_count.
#include <algorithm>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

constexpr int64_t kMostNGrams = 1 << 20;
constexpr int64_t kMostWindows = 1 << 12;  // lengths times gaps: each is a comparison in the graph

// The n-grams of one length, as the attributes list them: length first, then item after item.
struct Level {
  int64_t length = 1;
  std::vector<int64_t> items;
  int64_t first = 0;  // number of the first n-gram
  int64_t count() const { return static_cast<int64_t>(items.size()) / length; }
};

std::vector<Level> levels_of(Call& c) {
  const auto starts = c.integers("ngram_counts"), pool = c.integers("pool_int64s");
  std::vector<Level> levels;
  int64_t first = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t from = starts[i];
    const int64_t to = i + 1 < starts.size() ? starts[i + 1] : static_cast<int64_t>(pool.size());
    Level level{static_cast<int64_t>(i) + 1, {}, first};
    if (from < 0 || to < from || to > static_cast<int64_t>(pool.size()) || (to - from) % level.length != 0)
      c.fail("items {} to {} of the pool are no n-grams of length {}", from, to, level.length);
    level.items.assign(pool.begin() + from, pool.begin() + to);
    first += level.count();
    levels.push_back(std::move(level));
  }
  return levels;
}

// (N, P, G): whether the window of `x` (N, C) at each place, with `step` from item to item, is each n-gram.
Value* matches(Call& c, Value* x, const Level& level, int64_t step) {
  const ir::Dim places = max(c.shape(x, 2)[1] - ir::Dim((level.length - 1) * step), 0);
  Value* all = nullptr;
  for (int64_t k = 0; k < level.length; ++k) {
    std::vector<int64_t> items;
    for (int64_t g = 0; g < level.count(); ++g) items.push_back(level.items[static_cast<size_t>(g * level.length + k)]);
    Value* window = expand(c, slice(c, x, 1, ir::Dim(k * step), places + ir::Dim(k * step)), {2});
    Value* same = c.op("equal", {window, c.b.ints(items)});
    all = all ? c.op("logical_and", {all, same}) : same;
  }
  return all;
}

// (G, width): the column of each n-gram, with its weight where weights count.
Value* columns(Call& c, const Level& level, const std::vector<int64_t>& places, int64_t width, bool is_weighted) {
  const auto weights = is_weighted ? c.reals("weights") : std::vector<double>{};
  std::vector<float> matrix(static_cast<size_t>(level.count() * width));
  for (int64_t g = 0; g < level.count(); ++g) {
    const auto number = static_cast<size_t>(level.first + g);
    const float weight = weights.empty() ? 1.0f : static_cast<float>(weights.at(number));
    matrix[static_cast<size_t>(g * width + places[number])] = weight;
  }
  return c.b.constant(Tensor::of(DType::f32, {level.count(), width}, matrix));
}

Values tf_idf(Call& c) {
  Value* x = c.in(0);
  if (!is_integer(x->dtype())) c.fail("integers are expected");
  const bool is_flat = x->rank() == 1;
  if (is_flat) x = expand(c, x, {0});
  if (x->rank() != 2) c.fail("one or two axes are expected");
  x = c.cast(x, DType::i64);
  const std::string mode = c.text("mode");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") c.fail("mode '{}' is not known", mode);
  const int64_t shortest = c.integer("min_gram_length", 1), longest = c.integer("max_gram_length", 1),
                gaps = c.integer("max_skip_count", 0);
  const auto places = c.integers("ngram_indexes");
  const auto levels = levels_of(c);
  const int64_t total = levels.empty() ? 0 : levels.back().first + levels.back().count();
  if (total == 0 || total > kMostNGrams || static_cast<int64_t>(places.size()) != total)
    c.fail("{} n-grams have {} columns", total, places.size());
  if (c.has_attribute("weights") && c.reals("weights").size() != places.size())
    c.fail("{} n-grams have {} weights", total, c.reals("weights").size());
  const auto [least, most] = std::minmax_element(places.begin(), places.end());
  if (*least < 0 || *most >= kMostNGrams || total * (*most + 1) > 1 << 26) c.fail("column {} is out of range", *most);
  if (gaps < 0 || (gaps + 1) * static_cast<int64_t>(levels.size()) > kMostWindows) c.fail("{} gaps", gaps);

  Value* y = full(c, DType::f32, 0, {c.shape(x, 1)[0], *most + 1});
  for (const Level& level : levels) {
    if (level.length < shortest || level.length > longest || level.count() == 0) continue;
    Value* counts = nullptr;
    for (int64_t step = 1; step <= (level.length == 1 ? 1 : gaps + 1); ++step) {
      Value* found = reduce(c, "sum", c.cast(matches(c, x, level, step), DType::f32), {1}, false);
      counts = counts ? add(c, counts, found) : found;
    }
    if (mode == "IDF") counts = c.cast(c.op("greater", {counts, c.scalar(0, counts)}), DType::f32);
    y = add(c, y, c.op("matmul", {counts, columns(c, level, places, *most + 1, mode != "TF")}));
  }
  return {is_flat ? c.op("squeeze", {y}, {{"axes", ir::Dims{0}}}) : y};
}

}  // namespace

Rows n_gram_rows() { return {{"TfIdfVectorizer", tf_idf}}; }

}  // namespace godwit::frontends::onnx
