// Dense float32 matrix products, with the right operand packed: C = A B (+ bias). The tile that it is built on also
// serves convolutions: rows of A need not be equally spaced, and may come in several segments.
#pragma once

#include <cstdint>
#include <functional>

#include "base/dtype.h"
#include "base/thread_pool.h"

namespace godwit::kernels {

// B (k, n) in panels of a few vectors of columns, each k rows of the panel's width; columns beyond n are zero. Panels
// of a half type are widened as they are read.
int64_t packed_size(int64_t k, int64_t n);  // in elements
void pack(const float* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, float* packed,
          ThreadPool* pool = nullptr);
void pack(DType type, const void* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, void* packed,
          ThreadPool* pool = nullptr);  // f32, f16 or bf16

struct Packed {
  Packed(const float* floats = nullptr) : data(floats) {}
  Packed(const void* panels, DType kind) : data(panels), type(kind) {}
  const void* data;
  DType type = DType::f32;  // f16 bf16
};

struct Gemm {
  int64_t m, n, k;
  const float* a;
  int64_t a_stride;  // between rows of A; elements of a row are contiguous
  Packed b;
  const float* bias;  // (n), may be null
  float* c;
  int64_t c_stride;
};

// Rows [first, last) and columns [left, right) of C are done.
using Done = std::function<void(int64_t first, int64_t last, int64_t left, int64_t right)>;

void gemm(const Gemm& g, ThreadPool& pool, const Done& done = nullptr);

// One tile: up to tile_rows(n) rows of C, all columns of panels [first_panel, last_panel). Row r of segment s of A is
// at a[s * rows + r], `segment` floats long; k is segments * segment.
constexpr int max_tile_rows = 12;
int tile_rows(int64_t n);
// What will be read of B next, from row k0 of a panel on: each of `count` tiles that share a part of a panel brings its
// share near while it computes.
struct Ahead {
  int64_t panel = -1;  // none
  int64_t k0 = 0, index = 0, count = 1;
};
struct Tile {
  int rows;
  const float* const* a;
  int64_t segments, segment;
  Packed b;
  int64_t n;
  const float* bias;      // may be null
  float* const* c;        // rows of C
  bool accumulate;        // adds to C in place of the bias
  int64_t k0 = 0, k = 0;  // the rows of B that this tile starts at, and all that B has
  Ahead ahead = {};
};
using TileKernel = void (*)(const Tile& tile, int64_t first_panel, int64_t last_panel);
TileKernel tile_kernel();
// What each instruction set offers; for this folder.
struct GemmFunctions {
  int64_t lanes;
  int (*rows)(int64_t n);
  int64_t (*panel_count)(int64_t n);
  int64_t (*panel_start)(int64_t n, int64_t panel);
  TileKernel tile;
  void (*pack_rows)(const float* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, int64_t first,
                    int64_t last, float* packed);
  void (*pack_half_rows)(const uint16_t* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n,
                         int64_t first, int64_t last, uint16_t* packed);
};

int64_t panel_count(int64_t n);
int64_t panel_start(int64_t n, int64_t panel);  // first column; n for panel == panel_count(n)

}  // namespace godwit::kernels
