// Runs a converted model: named tensors in host memory in, named tensors out.
//
//   godwit::Model model("silero_vad");
//   auto outputs = model.run({{"input", samples}, {"sr", rate}});
//
// A model is used by one thread at a time; several models may run side by side.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "godwit/error.h"
#include "godwit/tensor.h"

namespace godwit {

class Model {
 public:
  enum class Device : uint8_t { cpu, gpu };
  enum class Executor : uint8_t { automatic, cpu, mlx };  // automatic: the planned kernels on a CPU, MLX on a GPU
  struct Options {
    std::string graph = "main";  // a package may hold several: "encode", "decode"
    Device device = Device::cpu;
    Executor executor = Executor::automatic;
  };

  // What goes in or comes out.
  struct Port {
    std::string name;
    DType dtype;
    std::vector<std::string> shape;  // "3", or a symbol that every call may choose anew: "batch"
  };
  using Tensors = std::map<std::string, Tensor>;

  // Reads the package that `godwit convert` wrote. Throws FileError where it is damaged, UsageError where it has no
  // such graph or the device is not there.
  explicit Model(const std::filesystem::path& package);
  Model(const std::filesystem::path& package, const Options& options);
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  const std::vector<Port>& inputs() const;
  const std::vector<Port>& outputs() const;

  // All inputs by name, of the dtypes and shapes of inputs(). State carries over to the next call.
  // Throws UsageError naming the input that is missing, unknown or does not fit.
  Tensors run(const Tensors& inputs);
  void reset();  // forgets the state

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit
