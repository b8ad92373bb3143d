#include "emit/cpp/files.h"

#include "emit/code/names.h"
#include "emit/cpp/literals.h"

namespace godwit::emit {

std::string cpp_cmake(const CppNames& names) {
  return fmt::format(R"(cmake_minimum_required(VERSION 3.25)
project({0} LANGUAGES CXX)

find_package(godwit REQUIRED)

add_library({0} STATIC model.cpp)
target_link_libraries({0} PUBLIC godwit::godwit)
target_compile_options({0} PRIVATE -Wall -Wextra -Werror)

add_executable(test_{0} test_model.cpp)
target_link_libraries(test_{0} PRIVATE {0})
target_compile_options(test_{0} PRIVATE -Wall -Wextra -Werror)
target_compile_definitions(test_{0} PRIVATE MODEL_FOLDER="${{CMAKE_CURRENT_SOURCE_DIR}}")

enable_testing()
add_test(NAME {0} COMMAND test_{0})
)",
                     names.name_space);
}

std::string cpp_test(const ir::Module& module, const CppNames& names, const Options& options) {
  std::string out = fmt::format(
      R"(// Runs the model on the recorded inputs and compares with the recorded outputs: test_model [WEIGHTS [GOLDEN]]
#include <iostream>

#include "model.h"

namespace mx = mlx::core;

int main(int count, char** arguments) {{
  const std::filesystem::path folder = MODEL_FOLDER;
  const std::filesystem::path weights = count > 1 ? arguments[1] : folder / {1};
  const std::filesystem::path recorded = count > 2 ? arguments[2] : folder / {2};
  try {{
    {0}::{3} model(weights{4});
    const godwit::Weights golden({{recorded}});
    bool passed = true;
    [[maybe_unused]] auto compare = [&](const char* name, const godwit::array& actual, int step = -1) {{
      const godwit::array& expected = golden(std::string("output/") + name);
      const double error = godwit::relative_error(actual, step < 0 ? expected : mx::take(expected, step, 0));
      passed = passed && error <= {5};
      std::cout << name << ": largest error " << error << (error <= {5} ? "" : "  FAILED") << "\n";
    }};
)",
      names.name_space, text_literal(options.weights), text_literal(options.golden), names.class_name,
      names.has_constants ? ", folder / \"constants.safetensors\"" : "", cpp.real(options.tolerance));
  const auto main_graph = module.graphs.find("main");
  if (main_graph != module.graphs.end()) {
    const ir::Graph& graph = main_graph->second;
    const bool has_steps = options.golden_steps > 0;
    std::vector<std::string> inputs;
    for (const ir::Value* v : graph.inputs) {
      const std::string name = text_literal("input/" + v->name);
      if (v->type.sequence)
        inputs.push_back(fmt::format("godwit::Sequence{{golden.list({})}}", name));
      else
        inputs.push_back(has_steps ? fmt::format("mx::take(golden({}), step, 0)", name)
                                   : fmt::format("golden({})", name));
    }
    if (has_steps) out += fmt::format("    for (int step = 0; step < {}; ++step) {{\n", options.golden_steps);
    out += fmt::format("    const auto outputs = model.forward({});\n", fmt::join(inputs, ", "));
    Namer fields;
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      const std::string field =
          graph.outputs.size() == 1 ? "outputs" : "outputs." + fields.unique(identifier(graph.output_names[i]));
      if (graph.outputs[i]->type.sequence)
        out += fmt::format(
            "    for (size_t i = 0; i < {0}.items.size(); ++i) compare(({1} + std::string(\".\") + "
            "std::to_string(i)).c_str(), {0}.items[i]);\n",
            field, text_literal(graph.output_names[i]));
      else
        out += fmt::format("    compare({}, {}{});\n", text_literal(graph.output_names[i]), field,
                           has_steps ? ", step" : "");
    }
    if (has_steps) out += "    }\n";
  }
  return out + R"(    return passed ? 0 : 1;
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 2;
  }
}
)";
}

}  // namespace godwit::emit
