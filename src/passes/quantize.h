// Weights of 4 or 8 bits in MLX's affine format (ops/affine.h), for the nodes that multiply with them or pick rows.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace godwit::passes {

struct AffineFormat {
  int bits = 4;
  int group_size = 64;
};

struct AffineTensors {
  Tensor weight, scales, biases;
};

// What `mx::quantize` makes of a matrix, and the matrix that this stands for.
AffineTensors quantize_matrix(const Tensor& matrix, const AffineFormat& format);
Tensor dequantize_matrix(const AffineTensors& tensors, const AffineFormat& format);

// A weight of a linear, a matmul, a 1x1 convolution (stride 1, no groups, no padding) or an embedding.
struct QuantizableWeight {
  std::string weight;                  // its key in the module's weights
  std::string layer;                   // as MLX calls the layer: "encoder.fc1" of encoder.fc1.weight
  std::vector<const ir::Node*> nodes;  // what reads it, in execution order
  bool transposed = false;             // stored (in, out), as matmul has it
  int64_t rows = 0, columns = 0;       // (out, in): groups run along the columns
  std::string obstacle;                // why it stays as it is; empty where nothing is in the way
};

// In execution order. `group_size` decides which of them divide.
std::vector<QuantizableWeight> quantizable_weights(const ir::Module& module, int group_size);

// The place of a quantizable weight among the operands of a node that reads it.
size_t weight_operand(const ir::Node& node);

// The weight as a matrix (rows, columns), and the other way round.
Tensor matrix_of(const QuantizableWeight& weight, const Tensor& stored);
Tensor stored_form(const QuantizableWeight& weight, const Tensor& matrix, const std::vector<int64_t>& shape);

// Quantises the weights that `formats` names (by key) in all graphs, each once, and optimises what is left. In the
// store LAYER.weight, LAYER.scales and LAYER.biases take the place of each: the names that stock MLX uses.
void quantize(ir::Module& module, const std::vector<QuantizableWeight>& weights,
              const std::map<std::string, AffineFormat>& formats);

bool is_quantized(const ir::Module& module);

}  // namespace godwit::passes
