// What a user of the library writes.
#include <godwit/function.h>
#include <godwit/model.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <cstdio>

int main(int count, char** arguments) {
  if (count != 2) return 2;
  try {
    godwit::Model model(arguments[1]);
    const auto x = godwit::Tensor::of<float>(godwit::DType::f32, {2, 3}, {1, 2, 3, 4, 5, 6});
    const auto outputs = model.run({{"x", x}});
    const godwit::Tensor& y = outputs.at("y");
    for (int64_t i = 0; i < y.size(); ++i) std::printf("%g ", y.number(i));
    godwit::Function function(arguments[1]);
    const mlx::core::array rows({0, 1, 2, 3, 4, 5}, {2, 3}, mlx::core::float32);
    mlx::core::array sum = mlx::core::sum(function({rows + mlx::core::array(1.0f)})[0]);
    std::printf("sum %g ", sum.item<float>());
    model.run({{"x", godwit::Tensor::zeros(godwit::DType::f32, {2, 4})}});
  } catch (const godwit::UsageError& e) {
    std::printf("refused: %s\n", e.what());
    return 0;
  }
  return 1;
}
