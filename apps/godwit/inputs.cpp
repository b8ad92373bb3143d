#include "inputs.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>

#include "base/error.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "parity/golden.h"

namespace godwit::app {

std::pair<std::string, std::string> split_pair(const std::string& spec, const char* what) {
  // Source names may hold '=': the last one separates.
  size_t equals = spec.rfind('=');
  require<UsageError>(equals != std::string::npos && equals > 0, "{} expects NAME=..., given '{}'", what, spec);
  return {spec.substr(0, equals), spec.substr(equals + 1)};
}

namespace {

std::optional<double> as_number(const std::string& text) {
  double v = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

ir::Shape parse_shape(const std::string& text, const std::string& spec) {
  ir::Shape shape;
  size_t start = 0;
  while (start <= text.size() && !text.empty()) {
    size_t comma = std::min(text.find(',', start), text.size());
    try {
      shape.push_back(ir::Dim::parse(text.substr(start, comma - start)));
    } catch (const FileError& e) {
      raise<UsageError>("--input {}: {}", spec, e.what());
    }
    require<UsageError>(!shape.back().is_known() || shape.back().value() >= 0, "--input {}: {} is no dimension", spec,
                        shape.back().str());
    start = comma + 1;
  }
  return shape;
}

}  // namespace

frontends::ImportOptions import_options(const std::vector<std::string>& specs) {
  frontends::ImportOptions options;
  for (const std::string& spec : specs) {
    auto [name, text] = split_pair(spec, "--input");
    frontends::ImportOptions::Input& input = options.inputs[name];
    if (size_t colon = text.rfind(':'); colon != std::string::npos) {
      input.dtype = parse_dtype(text.substr(colon + 1));
      require<UsageError>(input.dtype.has_value(), "--input {}: '{}' is no dtype", spec, text.substr(colon + 1));
      text = text.substr(0, colon);
    }
    if (auto number = as_number(text)) {
      const bool whole = std::floor(*number) == *number && std::fabs(*number) < 0x1p53;
      input.value = whole ? Tensor::of<int64_t>(DType::i64, {}, {static_cast<int64_t>(*number)})
                          : Tensor::scalar(DType::f32, *number);
      if (whole && *number >= 0) input.shape = ir::Shape{static_cast<int64_t>(*number)};
    } else {
      input.shape = parse_shape(text, spec);
    }
  }
  return options;
}

void learn_symbols(const ir::Value& input, const Tensor& tensor, ir::Dim::Env& env) {
  if (!input.type.shape || input.type.shape->size() != tensor.shape.size()) return;
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    if (auto symbol = (*input.type.shape)[i].as_symbol()) env.emplace(*symbol, tensor.shape[i]);
}

ir::Dim::Env parse_sizes(const std::vector<std::string>& sizes) {
  ir::Dim::Env env;
  for (const std::string& spec : sizes) {
    auto [name, text] = split_pair(spec, "--size");
    auto number = as_number(text);
    require<UsageError>(number && *number >= 0 && *number < 0x1p53, "--size {}: a count is expected", spec);
    env[name] = static_cast<int64_t>(*number);
  }
  return env;
}

namespace {

Tensor load_one(const std::string& name, const std::string& path) {
  if (path.ends_with(".npy")) return formats::read_npy(path);
  auto tensors = formats::read_safetensors(path).tensors;
  auto found = tensors.find(name);
  require<UsageError>(found != tensors.end(), "{} holds no tensor called {}", path, name);
  return found->second;
}

Tensor given_value(const ir::Value& input, const std::string& text) {
  if (auto number = as_number(text)) return Tensor::scalar(input.dtype(), *number);
  const bool is_file = text.ends_with(".npy") || text.ends_with(".safetensors");
  require<UsageError>(is_file,
                      "--input {}={}: neither a .npy or .safetensors file, a number, a shape (1,3,8) nor random",
                      input.name, text);
  return load_one(input.name, text);
}

// "1,3,224,224", "B,8:int64": a comma or a dtype tells a shape from other words.
bool is_shape(const std::string& text) {
  const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_,:*+- ", c); };
  return text.find_first_of(",:") != std::string::npos && std::all_of(text.begin(), text.end(), word);
}

// A shape that the user gives settles the symbols of the input.
void fit_shape(const ir::Value& input, const ir::Shape& shape, ir::Dim::Env& env) {
  const ir::Shape& declared = input.shape();
  bool fits = shape.size() == declared.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    const auto symbol = declared[i].as_symbol();
    if (symbol && shape[i].is_known())
      fits = env.emplace(*symbol, shape[i].value()).first->second == shape[i].value();
    else
      fits = shape[i] == declared[i];
  }
  require<UsageError>(fits, "input {} is {}, the shape {} is asked for", input.name, ir::str(input.type),
                      ir::str(shape));
}

void check_sizes(const ir::Graph& graph, const ir::Dim::Env& sizes) {
  std::set<std::string> known;
  for (const ir::Value* input : graph.inputs)
    if (input->type.shape)
      for (const ir::Dim& d : *input->type.shape) d.visit_symbols([&](const std::string& s) { known.insert(s); });
  for (const auto& [name, size] : sizes)
    require<UsageError>(known.contains(name), "no input has a dimension called {}; {}", name,
                        known.empty() ? "all are fixed" : fmt::format("there are {}", fmt::join(known, ", ")));
}

}  // namespace

frontends::ImportOptions shape_options(const std::vector<std::string>& specs) {
  std::vector<std::string> shapes;
  for (const std::string& spec : specs) {
    const size_t equals = spec.rfind('=');
    if (equals != std::string::npos && is_shape(spec.substr(equals + 1))) shapes.push_back(spec);
  }
  return import_options(shapes);
}

std::map<std::string, executors::HostValue> run_inputs(const ir::Graph& graph, const std::vector<std::string>& specs,
                                                       const std::vector<std::string>& sizes, uint64_t seed) {
  ir::Dim::Env env = parse_sizes(sizes);
  check_sizes(graph, env);
  std::map<std::string, std::string> texts;
  std::map<std::string, executors::HostValue> out;
  for (const std::string& spec : specs) {
    const bool is_file = spec.ends_with(".safetensors") && std::filesystem::exists(spec);
    if (is_file)
      for (auto& [name, tensor] : formats::read_safetensors(spec).tensors) out[name] = {{tensor}, false};
    else
      texts.insert(split_pair(spec, "--input"));
  }
  std::set<std::string> names;
  for (const ir::Value* input : graph.inputs) {
    names.insert(input->name);
    auto text = texts.find(input->name);
    if (text != texts.end() && is_shape(text->second))
      fit_shape(*input, *import_options({input->name + "=" + text->second}).inputs.at(input->name).shape, env);
    else if (text != texts.end() && text->second != "random")
      out[input->name] = {{given_value(*input, text->second)}, false};
    if (auto given = out.find(input->name); given != out.end() && given->second.items.size() == 1)
      learn_symbols(*input, given->second.items[0], env);
  }
  for (const auto& [name, text] : texts)
    require<UsageError>(names.contains(name), "the model has no input called {}; it has: {}", name,
                        fmt::join(names, ", "));
  if (out.size() < graph.inputs.size())
    for (auto& [name, tensor] : parity::random_inputs(graph, seed, env))
      if (!out.contains(name)) out[name] = {{std::move(tensor)}, false};
  return out;
}

}  // namespace godwit::app
