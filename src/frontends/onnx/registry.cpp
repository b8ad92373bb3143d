#include "frontends/onnx/registry.h"

#include <map>

namespace godwit::frontends::onnx {
namespace {

struct Family {
  std::string_view domain;
  Rows (*rows)();
};

constexpr Family families[] = {
    {"", elementwise_rows},
    {"", activation_rows},
    {"", create_rows},
    {"", movement_rows},
    {"", pad_rows},
    {"", index_rows},
    {"", reduce_rows},
    {"", linear_rows},
    {"", conv_rows},
    {"", pool_rows},
    {"", norm_rows},
    {"", attention_rows},
    {"", recurrent_rows},
    {"", resize_rows},
    {"", signal_rows},
    {"", quantize_rows},
    {"", sequence_rows},
    {"", control_rows},
    {"", scan_rows},
    {"", loss_rows},
    {"", n_gram_rows},
    {"", detection_rows},
    {"", linear_attention_rows},
    {"com.microsoft", microsoft_rows},
    {"com.microsoft", microsoft_attention_rows},
    {"com.microsoft", microsoft_quantized_rows},
    {"ai.onnx.ml", ml_rows},
    {"ai.onnx.preview.training", training_rows},
    {"ai.onnx.preview", preview_rows},
};

using Table = std::map<std::pair<std::string_view, std::string>, Translator>;

const Table& table() {
  static const Table all = [] {
    Table out;
    for (const Family& family : families)
      for (Row& row : family.rows()) {
        bool is_new = out.emplace(std::pair(family.domain, row.op), std::move(row.translate)).second;
        require<InternalError>(is_new, "two translators of {}", row.op);
      }
    return out;
  }();
  return all;
}

}  // namespace

const Translator* find_translator(std::string_view domain, std::string_view op) {
  auto found = table().find(std::pair(domain, std::string(op)));
  return found == table().end() ? nullptr : &found->second;
}

}  // namespace godwit::frontends::onnx
