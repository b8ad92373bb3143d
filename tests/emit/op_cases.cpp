#include "emit/op_cases.h"

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "ir/text.h"
#include "ops/builder.h"
#include "ops/op.h"

namespace godwit::testing {

namespace {

// Words of a line; spaces inside brackets, braces and quotes belong to the word.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> out(1);
  int depth = 0;
  bool quoted = false;
  for (char c : line) {
    if (c == '"') quoted = !quoted;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (c == ' ' && depth == 0 && !quoted)
      out.emplace_back();
    else
      out.back() += c;
  }
  std::erase(out, "");
  return out;
}

// "[1, 2]" is a list of integers, of reals, or of neither: the row knows.
ir::Attr fitted(ir::Attr attr, ops::Param::Kind kind) {
  if (auto* d = std::get_if<ir::Dim>(&attr); d && kind == ops::Param::Kind::real)
    return static_cast<double>(d->value());
  if (auto* list = std::get_if<ir::Dims>(&attr); list && list->empty() && kind == ops::Param::Kind::reals)
    return std::vector<double>{};
  return attr;
}

}  // namespace

OpCases read_op_cases(const std::string& file) {
  OpCases cases;
  ir::Graph& graph = cases.module.graphs["main"];
  ops::Builder b(cases.module, graph);
  const ir::Type batch{DType::f32, ir::Shape{ir::Dim::symbol("B")}};
  graph.add_output("batch", b.op("negative", {graph.add_input("batch", batch)}));
  std::ifstream in(file);
  require<InternalError>(static_cast<bool>(in), "{} is missing", file);
  std::string line;
  ir::Value* before = nullptr;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> words = words_of(line);
    const ops::Op* op = ops::find(words[0]);
    if (!op) {
      cases.later.insert(words[0]);
      continue;
    }
    cases.covered.insert(words[0]);
    std::vector<ir::Value*> inputs;
    ir::Attrs attrs;
    for (size_t i = 1; i < words.size(); ++i) {
      const std::string& w = words[i];
      const size_t equals = w.find('=');
      const std::string name = fmt::format("line{}_{}", number, i);
      if (equals != std::string::npos) {
        const ops::Param* param = op->find(w.substr(0, equals));
        require<InternalError>(param, "{}:{}: no attribute {}", file, number, w);
        attrs[w.substr(0, equals)] = fitted(ir::parse_attr(w.substr(equals + 1)), param->kind);
      } else if (w == "-") {
        inputs.push_back(before);
      } else if (w == "_") {
        inputs.push_back(nullptr);
      } else if (w.find('{') != std::string::npos) {
        inputs.push_back(b.constant(std::get<Tensor>(ir::parse_attr(w))));
      } else {
        inputs.push_back(graph.add_input(name, ir::parse_type(w)));
      }
    }
    b.set_place(fmt::format("cases.txt:{}", number));
    const std::vector<ir::Value*> results = b.ops(words[0], inputs, attrs);
    before = results[0];
    if (!op->is_pure) {  // random numbers: their shape is what can be compared
      graph.add_output(fmt::format("{}_{}", words[0], number), b.op("shape", {results[0]}));
      continue;
    }
    for (size_t k = 0; k < results.size(); ++k)
      graph.add_output(fmt::format("{}_{}_{}", words[0], number, k), results[k]);
  }
  return cases;
}

}  // namespace godwit::testing
