// What both executors offer: a graph run over named host tensors.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ir/graph.h"

namespace godwit::executors {

class ProfileRecorder;

// Host tensors in and out; sequences are lists (ONNX), a plain tensor is a list of one.
struct HostValue {
  std::vector<Tensor> items;
  bool is_sequence = false;
};
using HostValues = std::map<std::string, HostValue>;

class Executor {
 public:
  virtual ~Executor() = default;

  // Named inputs to named outputs. State carries over from call to call until reset().
  // Throws UsageError naming input, expected and given shape; an absent input is an error.
  virtual HostValues run(const HostValues& inputs) = 0;
  virtual void reset() = 0;
  virtual const ir::Graph& graph() const = 0;
  // What runs through MLX for want of a kernel: "conv (node conv1)". Known after a run; empty for the MLX executor.
  virtual std::vector<std::string> fallbacks() const { return {}; }
  // Runs from here on tell the recorder what each node takes (profile.h); null ends that.
  virtual void record(ProfileRecorder* recorder) = 0;
};

// "mlx", or "cpu": the plan with kernels of our own. Throws UsageError for another name.
std::unique_ptr<Executor> make_executor(const std::string& name, const ir::Module& module,
                                        const std::string& graph = "main");

}  // namespace godwit::executors
