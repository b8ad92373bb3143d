#include "executors/cpu_plan/rows.h"

#include <unordered_map>

namespace godwit::executors::plan {

const Row* find_row(std::string_view op) {
  static const auto* table = [] {
    auto* rows = new std::unordered_map<std::string_view, Row>;
    for (const Rows& family :
         {movement_rows(), matmul_rows(), quantized_rows(), norm_rows(), reduce_rows(), conv_rows(), recurrent_rows(),
          attention_rows(), index_rows(), scatter_rows(), order_rows(), resample_rows(), einsum_rows(), overlap_rows(),
          spread_rows(), integer_rows(), control_rows()})
      for (const Row& row : family) rows->emplace(row.op, row);
    return rows;
  }();
  auto found = table->find(op);
  return found == table->end() ? nullptr : &found->second;
}

}  // namespace godwit::executors::plan
