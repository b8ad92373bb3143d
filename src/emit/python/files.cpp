#include "emit/python/files.h"

#include "emit/python/literals.h"

namespace godwit::emit {

std::string python_test(const ir::Module& module, const std::string& class_name, const Options& options) {
  std::string out = fmt::format(
      R"("""Runs the model on the recorded inputs and compares with the recorded outputs: test_model.py [WEIGHTS [GOLDEN]]"""
import sys

import mlx.core as mx
import numpy as np

from model import FOLDER, WEIGHTS, {0}, read_weights

TOLERANCE = {1}
SMALLEST_SCALE = 1e-3


def read_list(golden, name):
    items = []
    while f"{{name}}.{{len(items)}}" in golden:
        items.append(golden[f"{{name}}.{{len(items)}}"])
    return items


def relative_error(actual, expected):
    """The largest difference over the largest magnitude of `expected`, which counts as SMALLEST_SCALE at least."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    kind = mx.complex64 if actual.dtype == mx.complex64 else mx.float32
    wide = actual.dtype in (mx.float64, mx.int64, mx.int32, mx.uint64, mx.uint32)
    a, e = (np.array(v if wide else v.astype(kind)).astype(np.complex128) for v in (actual, expected))
    plain = np.isfinite(e)
    if not np.array_equal(np.where(plain, 0, a), np.where(plain, 0, e), equal_nan=True):
        return float("inf")
    gap = np.abs(np.where(plain, a - np.where(plain, e, 0), 0)).max(initial=0.0)
    scale = np.abs(np.where(plain, e, 0)).max(initial=0.0)
    return gap / max(scale, SMALLEST_SCALE)


def compare(name, actual, expected):
    error = relative_error(actual, expected)
    print(f"{{name}}: largest error {{error:.3g}}" + ("" if error <= TOLERANCE else "  FAILED"))
    return error <= TOLERANCE


def main():
    weights = sys.argv[1] if len(sys.argv) > 1 else WEIGHTS
    golden = mx.load(sys.argv[2] if len(sys.argv) > 2 else str(FOLDER / {2}))
    model = {0}(read_weights(weights))
    passed = True
)",
      class_name, fmt::format("{}", options.tolerance), text_literal(options.golden));
  const auto main_graph = module.graphs.find("main");
  if (main_graph != module.graphs.end()) {
    const ir::Graph& graph = main_graph->second;
    const bool has_steps = options.golden_steps > 0;
    const std::string of_step = has_steps ? "[step]" : "", indent = has_steps ? "        " : "    ";
    std::vector<std::string> inputs;
    for (const ir::Value* v : graph.inputs) {
      const std::string name = text_literal("input/" + v->name);
      inputs.push_back(v->type.sequence ? fmt::format("read_list(golden, {})", name)
                                        : fmt::format("golden[{}]{}", name, of_step));
    }
    if (has_steps) out += fmt::format("    for step in range({}):\n", options.golden_steps);
    out += fmt::format("{}outputs = model({})\n", indent, fmt::join(inputs, ", "));
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      const std::string value = graph.outputs.size() == 1 ? "outputs" : fmt::format("outputs[{}]", i);
      const std::string name = text_literal(graph.output_names[i]),
                        stored = text_literal("output/" + graph.output_names[i]);
      if (graph.outputs[i]->type.sequence)
        out += fmt::format(
            "{0}for item, expected in zip({1}, read_list(golden, {2}), strict=True):\n{0}    passed &= compare({3}, "
            "item, expected)\n",
            indent, value, stored, name);
      else
        out += fmt::format("{}passed &= compare({}, {}, golden[{}]{})\n", indent, name, value, stored, of_step);
    }
  }
  return out + "    return 0 if passed else 1\n\n\nif __name__ == \"__main__\":\n    sys.exit(main())\n";
}

}  // namespace godwit::emit
