#include "export.h"

#include "base/error.h"
#include "base/progress.h"
#include "formats/detect.h"
#include "parity/process.h"
#include "parity/reference.h"

namespace godwit::app {
namespace {

namespace fs = std::filesystem;

constexpr double longest_seconds = 4 * 3600;

std::vector<std::string> command_of(const ExportRequest& request, const Exported& out) {
  std::vector<std::string> command = {parity::python_program(), parity::tool_script("export/export.py").string(),
                                      request.source.string(),  "--output",
                                      out.program.string(),     "--golden",
                                      out.golden.string()};
  // "--name=value", so that a value may begin with a dash.
  if (!request.model_class.empty()) command.push_back("--model-class=" + request.model_class);
  if (!request.weights.empty()) command.push_back("--weights=" + request.weights);
  for (const std::string& spec : request.inputs) command.push_back("--input=" + spec);
  for (const std::string& size : request.sizes) command.push_back("--size=" + size);
  return command;
}

ir::Shape shape_of(const nlohmann::json& dims) {
  ir::Shape shape;
  for (const auto& d : dims)
    shape.push_back(d.is_string() ? ir::Dim::symbol(d.get<std::string>()) : ir::Dim(d.get<int64_t>()));
  return shape;
}

}  // namespace

bool is_python_model(const fs::path& source) {
  std::error_code ignored;
  if (source.extension() == ".py") return fs::is_regular_file(source, ignored);
  return fs::is_directory(source, ignored) && formats::detect(source) == formats::Format::config_folder;
}

Exported export_model(const ExportRequest& request, const fs::path& folder) {
  Exported out{folder / "export.pt2", folder / "export.safetensors", {}, "", "", {}};
  fmt::print(stderr, "{} is {}: exporting it with torch.export ({})\n", request.source.string(),
             request.source.extension() == ".py" ? "Python code" : "a model folder", parity::python_program());
  nlohmann::json answer;
  try {
    parity::Process process(command_of(request, out), "export of " + request.source.string());
    const Activity activity("export");
    answer = process.read(longest_seconds);
    for (const auto& [name, dims] : answer.at("inputs").items()) out.inputs.inputs[name].shape = shape_of(dims);
    out.what = answer.at("what").get<std::string>();
    out.framework = answer.at("framework").get<std::string>();
    out.warnings = answer.at("warnings").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& e) {
    raise<InternalError>("the answer of export.py: {}", e.what());
  }
  return out;
}

}  // namespace godwit::app
