#include "parity/golden.h"

#include <random>

#include "base/error.h"

namespace godwit::parity {
namespace {

constexpr std::string_view kInput = "input/", kOutput = "output/", kLayer = "layer/";
constexpr int64_t kDefaultSize = 2;
constexpr int64_t kMostElements = int64_t{1} << 31;

template <class T>
void put(Tensor& tensor, int64_t index, T value) {
  reinterpret_cast<T*>(tensor.mutable_data())[index] = value;
}

void put_random(Tensor& tensor, int64_t index, std::mt19937_64& random, std::normal_distribution<float>& normal) {
  switch (tensor.dtype) {
    case DType::f32: return put(tensor, index, normal(random));
    case DType::f64: return put(tensor, index, static_cast<double>(normal(random)));
    case DType::f16: return put(tensor, index, float_to_half(normal(random)));
    case DType::bf16: return put(tensor, index, float_to_bfloat(normal(random)));
    case DType::c64: put(tensor, 2 * index, normal(random)); return put(tensor, 2 * index + 1, normal(random));
    default: break;
  }
  require<UsageError>(is_integer(tensor.dtype) || tensor.dtype == DType::boolean,
                      "no random values for {}: give the input in a file", long_name(tensor.dtype));
  // Little-endian: the lowest byte is the value, the others stay zero.
  tensor.mutable_data()[static_cast<size_t>(index) * item_size(tensor.dtype)] = static_cast<std::byte>(random() & 1);
}

}  // namespace

Golden golden_of(const Tensors& tensors, int64_t steps, const std::string& path) {
  Golden golden;
  golden.name = "golden";
  golden.is_recorded = true;
  golden.steps = steps;
  require<FileError>(steps >= 0, "{}: {} steps", path, steps);
  for (const auto& [name, tensor] : tensors) {
    auto part = [&](std::string_view prefix) { return name.starts_with(prefix); };
    bool stepped = !tensor.shape.empty() && tensor.shape[0] == steps;
    require<FileError>(steps == 0 || stepped, "{}: tensor {} lacks the leading axis of {} steps", path, name, steps);
    if (part(kInput))
      golden.inputs[name.substr(kInput.size())] = tensor;
    else if (part(kOutput))
      golden.outputs[name.substr(kOutput.size())] = tensor;
    else if (part(kLayer))
      golden.layers[name.substr(kLayer.size())] = tensor;
    else
      raise<FileError>("{}: tensor {} is neither input/, output/ nor layer/", path, name);
  }
  require<FileError>(!golden.outputs.empty(), "{}: no tensor is called output/NAME", path);
  return golden;
}

Tensors tensors_of(const Golden& golden) {
  Tensors tensors;
  for (const auto& [name, tensor] : golden.inputs) tensors[std::string(kInput) + name] = tensor;
  for (const auto& [name, tensor] : golden.outputs) tensors[std::string(kOutput) + name] = tensor;
  for (const auto& [name, tensor] : golden.layers) tensors[std::string(kLayer) + name] = tensor;
  return tensors;
}

std::map<std::string, std::string> metadata_of(const Golden& golden) {
  std::map<std::string, std::string> out{{"steps", std::to_string(golden.steps)}};
  if (!golden.reference.empty()) out["reference"] = golden.reference;
  return out;
}

Tensor step_of(const Tensor& source, int64_t step) {
  require<InternalError>(!source.shape.empty() && step < source.shape[0], "step {} of {}", step, describe(source));
  Tensor tensor = source.contiguous();
  tensor.shape.erase(tensor.shape.begin());
  tensor.strides.clear();
  tensor.data += static_cast<size_t>(step) * tensor.nbytes();
  return tensor;
}

Tensors random_inputs(const ir::Graph& graph, uint64_t seed, const ir::Dim::Env& sizes) {
  ir::Dim::Env env = sizes;
  for (const ir::Value* input : graph.inputs) {
    for (const ir::Dim& dim : input->shape()) {
      dim.visit_symbols([&](const std::string& symbol) { env.emplace(symbol, kDefaultSize); });
    }
  }
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  Tensors inputs;
  for (const ir::Value* input : graph.inputs) {
    require<UsageError>(!input->type.sequence, "input {} is a list: give it in a file", input->name);
    std::vector<int64_t> shape;
    for (const ir::Dim& dim : input->shape()) shape.push_back(dim.eval(env));
    for (int64_t size : shape) require<UsageError>(size >= 0, "input {} gets the size {}", input->name, size);
    require<UsageError>(checked_size(shape) <= kMostElements, "input {} has {} elements: give its sizes", input->name,
                        checked_size(shape));
    Tensor tensor = Tensor::zeros(input->dtype(), shape);
    for (int64_t i = 0; i < tensor.size(); ++i) put_random(tensor, i, random, normal);
    inputs.emplace(input->name, std::move(tensor));
  }
  return inputs;
}

}  // namespace godwit::parity
