// Host tensors to MLX arrays and back.
#include <mlx/allocator.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <cstring>

#include "base/error.h"
#include "executors/mlx/executor.h"
#include "ops/dtype.h"

namespace godwit::executors {

namespace mx = mlx::core;

mx::array to_mlx(const Tensor& tensor) {
  const Tensor flat = tensor.contiguous();
  mx::Shape shape;
  for (int64_t d : flat.shape) {
    require<UsageError>(d <= INT32_MAX, "{} has a dimension above 2^31, which MLX cannot hold", describe(flat));
    shape.push_back(static_cast<int32_t>(d));
  }
  if (flat.dtype == DType::c128) {
    mx::array narrow = mx::zeros(shape, mx::complex64);
    mx::eval(narrow);
    const double* from = reinterpret_cast<const double*>(flat.data);
    for (int64_t i = 0; i < flat.size(); ++i)
      narrow.data<mx::complex64_t>()[i] = {static_cast<float>(from[2 * i]), static_cast<float>(from[2 * i + 1])};
    return narrow;
  }
  mx::allocator::Data buffer = mx::allocator::malloc(std::max<size_t>(flat.nbytes(), 1));
  if (flat.nbytes() > 0) std::memcpy(buffer.buffer().raw_ptr(), flat.data, flat.nbytes());
  return mx::array(std::move(buffer), std::move(shape), ops::mlx_dtype(flat.dtype));
}

Tensor to_host(const mx::array& array, DType dtype) {
  require<InternalError>(array.dtype() == ops::mlx_dtype(dtype), "an array of another dtype stands for {}",
                         name(dtype));
  mx::array flat = mx::contiguous(array);
  flat.eval();
  std::vector<int64_t> shape(array.shape().begin(), array.shape().end());
  if (dtype == DType::c128) dtype = DType::c64;
  return Tensor::of_bytes(dtype, std::move(shape),
                          {reinterpret_cast<const std::byte*>(flat.data<char>()), flat.nbytes()});
}

}  // namespace godwit::executors
