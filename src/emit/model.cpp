// The library side of godwit/model.h.
#include "godwit/model.h"

#include <mlx/device.h>
#include <mlx/stream.h>
#include <mlx/utils.h>

#include <optional>

#include "base/error.h"
#include "emit/package.h"
#include "emit/port.h"
#include "executors/executor.h"

namespace godwit {

namespace mx = mlx::core;

namespace {

mx::Device device_of(Model::Device device) {
  if (device == Model::Device::cpu) return mx::Device::cpu;
  require<UsageError>(mx::is_available(mx::Device::gpu), "this build of MLX, or this machine, has no GPU");
  return mx::Device::gpu;
}

}  // namespace

struct Model::Impl {
  Impl(const std::filesystem::path& package, const Options& options)
      : device(device_of(options.device)), module(emit::read_package(package)) {
    mx::StreamContext on(device);  // weights go to the device that the model runs on
    require<UsageError>(options.executor != Executor::cpu || options.device == Device::cpu,
                        "the cpu executor runs on the CPU only");
    const bool planned = options.executor != Executor::mlx && options.device == Device::cpu;
    executor = executors::make_executor(planned ? "cpu" : "mlx", module, options.graph);
    const ir::Graph& graph = executor->graph();
    for (const ir::Value* v : graph.inputs) inputs.push_back(emit::port_of(v->name, *v));
    for (size_t i = 0; i < graph.outputs.size(); ++i)
      outputs.push_back(emit::port_of(graph.output_names[i], *graph.outputs[i]));
  }

  mx::Device device;
  ir::Module module;
  std::unique_ptr<executors::Executor> executor;
  std::vector<Port> inputs, outputs;
};

Model::Model(const std::filesystem::path& package) : Model(package, Options{}) {}
Model::Model(const std::filesystem::path& package, const Options& options)
    : impl_(std::make_unique<Impl>(package, options)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const std::vector<Model::Port>& Model::inputs() const { return impl_->inputs; }
const std::vector<Model::Port>& Model::outputs() const { return impl_->outputs; }
void Model::reset() { impl_->executor->reset(); }

Model::Tensors Model::run(const Tensors& inputs) {
  mx::StreamContext on(impl_->device);
  std::map<std::string, executors::HostValue> given;
  for (const auto& [name, tensor] : inputs) given[name] = {{tensor}, false};
  Tensors out;
  for (auto& [name, value] : impl_->executor->run(given)) out.emplace(name, std::move(value.items.at(0)));
  return out;
}

}  // namespace godwit
