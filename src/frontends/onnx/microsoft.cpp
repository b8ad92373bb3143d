// com.microsoft: fused layers that onnxruntime's optimizer and exporters write.
#include <cmath>

#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Value* biased(Call& c, Value* x, size_t input) { return c.has(input) ? add(c, x, c.in(input)) : x; }

Row gelu_row(std::string name, std::string kind) {
  return {std::move(name), [kind = std::move(kind)](Call& c) -> Values {
            return {c.op("gelu", {biased(c, c.in(0), 1)}, {{"approximate", kind}})};
          }};
}

Values quick_gelu(Call& c) {
  Value* x = c.in(0);
  return {multiply(c, x, c.op("sigmoid", {multiply(c, x, c.real("alpha", 1.702))}))};
}

Values bias_split_gelu(Call& c) {
  Value* x = add(c, c.in(0), c.in(1));
  const ir::Dim half = floordiv(c.shape(x, 1).back(), 2);
  const Values parts = split(c, x, {half, half}, x->rank() - 1);
  return {multiply(c, parts[0], c.op("gelu", {parts[1]}, {{"approximate", std::string("none")}}))};
}

Value* activated(Call& c, Value* x, const std::string& name, const std::vector<double>& parameters) {
  auto parameter = [&](size_t i, double fallback) { return i < parameters.size() ? parameters[i] : fallback; };
  if (name.empty()) return x;
  if (name == "Relu") return c.op("relu", {x});
  if (name == "Sigmoid") return c.op("sigmoid", {x});
  if (name == "Tanh") return c.op("tanh", {x});
  if (name == "LeakyRelu") return c.op("leaky_relu", {x}, {{"slope", parameter(0, 0.01)}});
  if (name == "Clip") return c.op("clip", {x, c.scalar(parameter(0, -3.4e38), x), c.scalar(parameter(1, 3.4e38), x)});
  if (name == "HardSigmoid")
    return c.op("hard_sigmoid", {x}, {{"alpha", parameter(0, 0.2)}, {"beta", parameter(1, 0.5)}});
  c.fail("activation '{}' is not supported", name);
}

// The last two axes swapped; with `batch` the first goes in front of the last: (B..., M, K) stored as (M, B..., K).
Value* turned(Call& c, Value* x, bool swap, bool batch) {
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < x->rank(); ++i) axes.push_back(i);
  if (batch) {
    axes.erase(axes.begin());
    axes.insert(axes.end() - 1, 0);
  }
  if (swap && x->rank() >= 2) std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return swap || batch ? transpose(c, x, axes) : x;
}

Values fused_matmul(Call& c) {
  Value* a = turned(c, c.in(0), c.flag("transA"), c.flag("transBatchA"));
  Value* b = turned(c, c.in(1), c.flag("transB"), c.flag("transBatchB"));
  Value* y = c.op("matmul", {a, b});
  const double alpha = c.real("alpha", 1.0);
  return {alpha == 1.0 ? y : multiply(c, y, alpha)};
}

Values fused_gemm(Call& c) {
  const Translator* gemm = find_translator("", "Gemm");
  Value* y = (*gemm)(c).at(0);
  return {activated(c, y, c.text("activation"), {c.real("activation_alpha", 0.01), c.real("activation_beta", 0.5)})};
}

Values fused_conv(Call& c) {
  Call inner(c.importer, c.node, c.scope, 22,
             Values(c.inputs.begin(), c.inputs.begin() + std::min<size_t>(3, c.count())));
  const Translator* conv = find_translator("", "Conv");
  Value* y = biased(c, (*conv)(inner).at(0), 3);  // input 3 is a sum to add
  return {activated(c, y, c.text("activation"), c.reals("activation_params"))};
}

Values simplified_layer_norm(Call& c) {
  Value* x = c.in(0);
  const int64_t axis = c.axis(c.integer("axis", -1), x->rank());
  return {
      c.op("rms_norm", {x, c.in(1)}, {{"axes_count", ir::Dim(x->rank() - axis)}, {"eps", c.real("epsilon", 1e-5)}})};
}

// input, skip, gamma, beta?, bias?; the fourth output is the sum that was normalised.
Values skip_layer_norm(Call& c) {
  Value* sum = biased(c, add(c, c.in(0), c.in(1)), 4);
  Value* y =
      c.op("layer_norm", {sum, c.in(2), c.maybe(3)}, {{"axes_count", ir::Dim(1)}, {"eps", c.real("epsilon", 1e-12)}});
  return {y, nullptr, nullptr, sum};
}

Values skip_rms_norm(Call& c) {  // input, skip, gamma, bias?
  Value* sum = biased(c, add(c, c.in(0), c.in(1)), 3);
  Value* y = c.op("rms_norm", {sum, c.in(2)}, {{"axes_count", ir::Dim(1)}, {"eps", c.real("epsilon", 1e-12)}});
  return {y, nullptr, nullptr, sum};
}

// ids, segments?, word, position, segment?, gamma, beta, mask?, position_ids?
Values embed_layer_norm(Call& c) {
  auto rows = [&](Value* table, Value* ids) { return c.op("take", {table, c.cast(ids, DType::i64)}); };
  Value* ids = c.in(0);
  Value* sum = rows(c.in(2), ids);
  if (c.has(8))
    sum = add(c, sum, rows(c.in(3), c.in(8)));
  else
    sum = add(c, sum, slice(c, c.in(3), 0, 0, c.shape(ids, 2)[1]));
  if (c.has(1) && c.has(4)) sum = add(c, sum, rows(c.in(4), c.in(1)));
  Value* y =
      c.op("layer_norm", {sum, c.in(5), c.in(6)}, {{"axes_count", ir::Dim(1)}, {"eps", c.real("epsilon", 1e-12)}});
  Value* lengths = nullptr;  // the number of tokens before the padding
  if (c.wants(1))
    lengths = c.has(7) ? reduce(c, "sum", c.in(7), {1}, false) : full(c, DType::i32, 0, {c.shape(ids, 1)[0]});
  return {y, lengths, sum};
}

// Values of `bits` bits each, the first in the low ones: (..., n) bytes -> (..., n * 8 / bits) as u8.
Value* unpacked(Call& c, Value* bytes, int64_t bits) {
  if (bits == 8) return bytes;
  const int64_t rank = bytes->rank(), per_byte = 8 / bits;
  Values parts;
  for (int64_t i = 0; i < per_byte; ++i) {
    Value* shifted = i == 0 ? bytes : c.op("shift_right", {bytes, c.scalar(static_cast<double>(i * bits), bytes)});
    Value* masked = c.op("bitwise_and", {shifted, c.scalar(static_cast<double>((1 << bits) - 1), bytes)});
    parts.push_back(expand(c, masked, {rank}));
  }
  ir::Shape shape = bytes->shape();
  shape.back() = shape.back() * ir::Dim(per_byte);
  return c.b.reshape(c.op("concat", parts, {{"axis", ir::Dim(rank)}}), shape);
}

// A, B (N, blocks, bytes), scales (N, blocks), zero_points?, g_idx?, bias?
Values matmul_n_bits(Call& c) {
  Value* x = c.in(0);
  const int64_t k = c.integer("K", 0), n = c.integer("N", 0), bits = c.integer("bits", 4),
                block = c.integer("block_size", 32);
  if (k <= 0 || n <= 0 || block < 1 || (bits != 2 && bits != 4 && bits != 8))
    c.fail("K {}, N {}, bits {}, block_size {}", k, n, bits, block);
  if (c.has(4)) c.fail("a permutation of the columns (g_idx) is not supported");
  const int64_t blocks = (k + block - 1) / block;
  Value* weight = c.cast(c.b.reshape(unpacked(c, c.in(1), bits), {n, blocks, block}), x->dtype());
  Value* scale = c.b.reshape(c.cast(c.in(2), x->dtype()), {n, blocks, 1});
  Value* zero = c.b.scalar(x->dtype(), static_cast<double>(1 << (bits - 1)));
  if (c.has(3)) {
    Value* points = c.in(3);
    if (points->dtype() == DType::u8) {
      const int64_t bytes = (blocks * bits + 7) / 8;
      points = slice(c, unpacked(c, c.b.reshape(points, {n, bytes}), bits), 1, 0, blocks);
    }
    zero = c.b.reshape(c.cast(points, x->dtype()), {n, blocks, 1});
  }
  weight = multiply(c, subtract(c, weight, zero), scale);
  weight = c.b.reshape(weight, {n, blocks * block});
  if (blocks * block != k) weight = slice(c, weight, 1, 0, k);
  return {c.op("linear", {x, weight, c.maybe(5)})};
}

// data (rows..., bytes), indices, scales, zero_points?: rows are taken first, then decoded.
Values gather_block_quantized(Call& c) {
  Value *data = c.in(0), *scales = c.in(2);
  const int64_t bits = c.integer("bits", 4), block = c.integer("block_size", 128), rank = data->rank();
  const int64_t along_axis = c.axis(c.integer("quantize_axis", 1), rank);
  if (c.axis(c.integer("gather_axis", 0), rank) != 0 || along_axis != rank - 1)
    c.fail("rows are taken along axis 0 of blocks along the last axis");
  if (block < 1 || (bits != 4 && bits != 8 && bits != 2)) c.fail("bits {}, block_size {}", bits, block);
  Value* at = c.cast(c.in(1), DType::i64);
  const bool packed = data->dtype() == DType::u8;
  auto rows = [&](Value* table) { return c.op("take", {table, at}); };
  Value* values = packed ? unpacked(c, rows(data), bits) : rows(data);
  const DType type = scales->dtype();
  const bool is_unsigned = data->dtype() == DType::u8 || data->dtype() == DType::u4;
  Value* zero = c.b.scalar(type, packed ? static_cast<double>(1 << (bits - 1)) : 0.0);
  auto spread = [&](Value* v) {  // one per block to one per element
    Value* wide = c.op("repeat", {v}, {{"count", ir::Dim(block)}, {"axis", ir::Dim(v->rank() - 1)}});
    return slice(c, wide, wide->rank() - 1, 0, c.shape(values, 1).back());
  };
  if (c.has(3)) {
    Value* points = rows(c.in(3));
    if (packed) {
      points = unpacked(c, points, bits);
      points = slice(c, points, points->rank() - 1, 0, c.shape(scales, 1).back());
    }
    zero = spread(c.cast(points, type));
  } else if (!packed && is_unsigned) {
    zero = c.b.scalar(type, 0);
  }
  return {multiply(c, subtract(c, c.cast(values, type), zero), spread(rows(scales)))};
}

Values cdist(Call& c) {
  const std::string metric = c.text("metric", "sqeuclidean");
  if (metric != "sqeuclidean" && metric != "euclidean") c.fail("metric '{}' is not supported", metric);
  Value* distance = c.op("cdist", {c.in(0), c.in(1)}, {{"p", 2.0}});
  return {metric == "euclidean" ? distance : c.op("square", {distance})};
}

Values expand_dims(Call& c) { return {expand(c, c.in(0), {c.axis(c.number(1), c.rank() + 1)})}; }

// The standard operator of that name, at its newest version.
Row standard(std::string name, std::string op, int64_t opset) {
  return {std::move(name), [=](Call& c) {
            Call inner(c.importer, c.node, c.scope, opset, c.inputs);
            return (*find_translator("", op))(inner);
          }};
}

}  // namespace

Rows microsoft_rows() {
  return {gelu_row("FastGelu", "tanh"),
          gelu_row("BiasGelu", "none"),
          gelu_row("Gelu", "none"),
          {"QuickGelu", quick_gelu},
          {"BiasSplitGelu", bias_split_gelu},
          {"FusedMatMul", fused_matmul},
          {"TransposeMatMul", fused_matmul},
          {"FusedGemm", fused_gemm},
          {"FusedConv", fused_conv},
          {"SimplifiedLayerNormalization", simplified_layer_norm},
          {"RMSNormalization", simplified_layer_norm},
          {"SkipLayerNormalization", skip_layer_norm},
          {"SkipSimplifiedLayerNormalization", skip_rms_norm},
          {"EmbedLayerNormalization", embed_layer_norm},
          {"MatMulNBits", matmul_n_bits},
          {"GatherBlockQuantized", gather_block_quantized},
          {"CDist", cdist},
          {"ExpandDims", expand_dims},
          rename("Inverse", "inverse"),
          standard("Trilu", "Trilu", 14),
          standard("Range", "Range", 11),
          standard("Pad", "Pad", 13),
          standard("Unique", "Unique", 11),
          standard("QuantizeLinear", "QuantizeLinear", 21),
          standard("DequantizeLinear", "DequantizeLinear", 21)};
}

}  // namespace godwit::frontends::onnx
