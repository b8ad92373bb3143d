#include "parity/reference.h"

#include <cstdlib>

#include "base/error.h"
#include "parity/tensor_file.h"

namespace godwit::parity {
namespace {

namespace fs = std::filesystem;

constexpr double kStartSeconds = 300, kRunSeconds = 1800;

// A file that goes away with its guard.
struct Scratch {
  fs::path path = temporary_path(".safetensors");
  ~Scratch() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

std::string environment(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

}  // namespace

std::string python_program() { return environment("GODWIT_PYTHON", "python3"); }

fs::path tool_script(const std::string& name) {
  std::error_code ignored;
  fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  std::vector<fs::path> places = {program / "../share/godwit/tools", program / "../../tools", "tools"};
  if (const std::string named = environment("GODWIT_TOOLS", ""); !named.empty()) places.insert(places.begin(), named);
  std::string looked;
  for (const fs::path& place : places) {
    if (fs::exists(place / name, ignored)) return fs::weakly_canonical(place / name, ignored);
    looked += " " + place.string();
  }
  raise<UsageError>("the script {} is in none of{}: set GODWIT_TOOLS", name, looked);
}

Reference::Reference(const fs::path& model, int threads, bool layers) : layers_(layers) {
  require<UsageError>(fs::exists(model), "{} does not exist", model.string());
  require<UsageError>(model.extension() != ".py" && !fs::is_directory(model),
                      "{} cannot be run as it is: convert it with --save-export FILE.pt2 and name that file",
                      model.string());
  std::vector<std::string> command = {python_program(), tool_script("reference/run.py").string(),
                                      model.string(),   "--serve",
                                      "--threads",      std::to_string(threads)};
  if (layers) command.push_back("--layers");
  process_ = std::make_unique<Process>(command);
  nlohmann::json hello = process_->read(kStartSeconds);
  name_ = hello.value("name", "");
  version_ = hello.value("version", "");
}

Golden Reference::run(const Tensors& inputs) {
  Scratch in, out;
  save_tensors(in.path, {inputs, {}});
  nlohmann::json answer = process_->ask(
      {{"do", "run"}, {"inputs", in.path.string()}, {"output", out.path.string()}, {"layers", layers_}}, kRunSeconds);
  TensorFile file = load_tensors(out.path);
  Golden golden;
  golden.name = "golden";
  golden.reference = name_ + " " + version_;
  golden.inputs = inputs;
  for (auto& [name, tensor] : file.tensors) {
    bool is_layer = answer["outputs"].contains(name) && answer["outputs"][name].value("layer", false);
    (is_layer ? golden.layers : golden.outputs)[name] = std::move(tensor);
  }
  return golden;
}

void Reference::reset() { process_->ask({{"do", "reset"}}, kStartSeconds); }

void Reference::set_inputs(const Tensors& inputs) {
  Scratch in;
  save_tensors(in.path, {inputs, {}});
  process_->ask({{"do", "inputs"}, {"path", in.path.string()}}, kRunSeconds);
}

double Reference::run_ms() {
  nlohmann::json answer = process_->ask({{"do", "time"}, {"runs", 1}}, kRunSeconds);
  peak_memory_ = answer.value("peak_memory_bytes", int64_t{0});
  return answer.value("ms", 0.0);
}

}  // namespace godwit::parity
