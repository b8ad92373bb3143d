// The library side of godwit/function.h.
#include "godwit/function.h"

#include "emit/package.h"
#include "emit/port.h"
#include "executors/cpu_plan/primitive.h"

namespace godwit {

namespace mx = mlx::core;

struct Function::Impl {
  Impl(const std::filesystem::path& package, const std::string& name)
      : lazy(std::make_shared<const ir::Module>(emit::read_package(package)), name) {
    const ir::Graph& graph = lazy.graph();
    for (const ir::Value* v : graph.inputs) inputs.push_back(emit::port_of(v->name, *v));
    for (size_t i = 0; i < graph.outputs.size(); ++i)
      outputs.push_back(emit::port_of(graph.output_names[i], *graph.outputs[i]));
    for (const ir::State& state : graph.states) {
      inputs.push_back(emit::port_of(state.name, *state.before));
      outputs.push_back(emit::port_of(state.name, *state.after));
    }
  }

  executors::LazyGraph lazy;
  std::vector<Model::Port> inputs, outputs;
};

Function::Function(const std::filesystem::path& package, const std::string& graph)
    : impl_(std::make_unique<Impl>(package, graph)) {}
Function::~Function() = default;
Function::Function(Function&&) noexcept = default;
Function& Function::operator=(Function&&) noexcept = default;

const std::vector<Model::Port>& Function::inputs() const { return impl_->inputs; }
const std::vector<Model::Port>& Function::outputs() const { return impl_->outputs; }

Function::Arrays Function::operator()(const Arrays& inputs, mx::StreamOrDevice stream) {
  return impl_->lazy(inputs, mx::to_stream(stream, mx::Device::cpu));
}

Function::Arrays Function::initial_states(const Arrays& inputs) const { return impl_->lazy.initial_states(inputs); }

}  // namespace godwit
