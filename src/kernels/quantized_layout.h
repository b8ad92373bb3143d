// How packed weights of 4 and 8 bits lie, and what an instruction set has to offer for them; for this folder.
//
// A panel holds 16 outputs. For each group of inputs it has the numbers, then 16 scales and 16 biases as float32. Four
// inputs of 16 outputs make 64 bytes, output after output, the four in the order 0 2 1 3: even bytes of a 16-bit lane
// pair are then inputs 0 and 1, odd bytes 2 and 3. With 4 bits a byte has inputs 0 to 3 in its low half, 4 to 7 in its
// high half.
#pragma once

#include "kernels/quantized.h"

namespace godwit::kernels {

constexpr int64_t panel_width = 16, max_block_rows = 512;

struct PackedLayout {
  explicit PackedLayout(const QuantizedShape& s)
      : panels((s.n + panel_width - 1) / panel_width),
        groups(s.k / s.group),
        numbers(panel_width * s.group * s.bits / 8),
        group_bytes(numbers + 2 * panel_width * 4),
        panel_bytes(group_bytes * groups) {}
  int64_t panels, groups, numbers, group_bytes, panel_bytes;
};

struct QuantizedFunctions {
  bool splits_rows;                // many rows are best shared out by rows
  int64_t (*row_step)(int64_t m);  // parts of m rows start at multiples of it
  // Rounds rows [first, last) of A into the scratch. A product has at most max_block_rows rows here.
  void (*prepare)(const QuantizedGemm& g, int64_t first, int64_t last);
  void (*multiply)(const QuantizedGemm& g, int64_t first_row, int64_t last_row, int64_t first_panel,
                   int64_t last_panel);
};

// The product in int8.
QuantizedFunctions block_functions(int64_t bits);
// The product in tiles of bfloat16 (AMX); to be called where uses_tiles().
QuantizedFunctions tile_functions();

}  // namespace godwit::kernels
