// A converted model as a function of MLX arrays. All of it is one primitive of MLX's lazy graph, run by godwit's own
// CPU kernels, so that it mixes with MLX's ops:
//
//   godwit::Function net("net");
//   mx::array y = net({x * 2})[0];   // runs nothing; y.shape() is known
//   mx::eval(mx::softmax(y, -1));
//
// One thread calls a function at a time; its results may be evaluated by any.
#pragma once

#include <mlx/array.h>
#include <mlx/utils.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "godwit/model.h"

namespace godwit {

class Function {
 public:
  using Arrays = std::vector<mlx::core::array>;

  // Reads the package that `godwit convert` wrote. Throws FileError where it is damaged, UsageError where it has no
  // such graph or one that takes or gives sequences.
  explicit Function(const std::filesystem::path& package, const std::string& graph = "main");
  ~Function();
  Function(Function&&) noexcept;
  Function& operator=(Function&&) noexcept;

  // A model with state (recurrent buffers) takes its states behind its inputs, and gives what they are after the call
  // behind its outputs; nothing is kept between calls. Both lists hold them so.
  const std::vector<Model::Port>& inputs() const;
  const std::vector<Model::Port>& outputs() const;

  // Arrays in the order of inputs(); the results in that of outputs(). Shapes are checked at once (UsageError, naming
  // the input or op that does not fit). Where a size depends on data, parts run already here.
  Arrays operator()(const Arrays& inputs, mlx::core::StreamOrDevice stream = mlx::core::Device::cpu);
  // The states before the first call with such inputs (given without states).
  Arrays initial_states(const Arrays& inputs) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit
