#include "kernels/program.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "kernels/half.h"

namespace godwit::kernels {
namespace {

constexpr int64_t tile_size = 512;

template <class T>
void convert_from(const void* data, int64_t n, float* out) {
  const T* x = static_cast<const T*>(data);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(x[i]);
}

template <class T>
void convert_to(const float* x, int64_t n, void* data) {
  T* out = static_cast<T*>(data);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(x[i]);
}

}  // namespace

bool has_float_conversion(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
    case DType::boolean:
    case DType::u8:
    case DType::i8:
    case DType::i32:
    case DType::i64: return true;
    default: return false;
  }
}

void to_float(DType from, const void* data, int64_t n, float* out) {
  switch (from) {
    case DType::f32: std::memcpy(out, data, static_cast<size_t>(n) * 4); return;
    case DType::f16:
    case DType::bf16: return widen(from, data, n, out);
    case DType::boolean: {
      const auto* x = static_cast<const uint8_t*>(data);
      for (int64_t i = 0; i < n; ++i) out[i] = x[i] ? 1.0f : 0.0f;
      return;
    }
    case DType::u8: return convert_from<uint8_t>(data, n, out);
    case DType::i8: return convert_from<int8_t>(data, n, out);
    case DType::i32: return convert_from<int32_t>(data, n, out);
    case DType::i64: return convert_from<int64_t>(data, n, out);
    default: raise<InternalError>("no conversion from {}", name(from));
  }
}

void from_float(DType to, const float* values, int64_t n, void* out) {
  switch (to) {
    case DType::f32: std::memcpy(out, values, static_cast<size_t>(n) * 4); return;
    case DType::f16:
    case DType::bf16: return narrow(to, values, n, out);
    case DType::boolean: {
      auto* y = static_cast<uint8_t*>(out);
      for (int64_t i = 0; i < n; ++i) y[i] = values[i] != 0;
      return;
    }
    case DType::i32: return convert_to<int32_t>(values, n, out);
    case DType::i64: return convert_to<int64_t>(values, n, out);
    default: raise<InternalError>("no conversion to {}", name(to));
  }
}

int64_t Program::size() const { return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()); }

void Program::prepare() {
  std::vector<int64_t> dense(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0; step *= shape[i]) dense[i] = step;
  for (Leaf& leaf : leaves) {
    bool linear = true, uniform = true;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 1) continue;
      linear = linear && leaf.strides[i] == dense[i];
      uniform = uniform && leaf.strides[i] == 0;
    }
    leaf.kind = uniform ? Leaf::Kind::uniform : linear ? Leaf::Kind::linear : Leaf::Kind::strided;
  }
  // Results take tiles from a free list; a tile is free again after the last instruction that reads it.
  std::vector<int> last(static_cast<size_t>(registers), -1);
  for (size_t i = 0; i < instructions.size(); ++i)
    for (int r : {instructions[i].a, instructions[i].b, instructions[i].c})
      if (r >= 0) last[static_cast<size_t>(r)] = static_cast<int>(i);
  slot_.assign(static_cast<size_t>(registers), -1);
  for (size_t k = 0; k < leaves.size(); ++k)
    if (leaves[k].kind != Leaf::Kind::linear || leaves[k].dtype != DType::f32) slot_[k] = slots_++;
  std::vector<int> free;
  for (size_t i = 0; i < instructions.size(); ++i) {
    const Instruction& it = instructions[i];
    for (int r : {it.a, it.b, it.c}) {
      const bool is_result = r >= static_cast<int>(leaves.size());
      if (is_result && last[static_cast<size_t>(r)] == static_cast<int>(i)) {
        const int tile = slot_[static_cast<size_t>(r)];
        if (std::find(free.begin(), free.end(), tile) == free.end()) free.push_back(tile);
      }
    }
    int& slot = slot_[static_cast<size_t>(it.out)];
    if (free.empty()) {
      slot = slots_++;
    } else {
      slot = free.back();
      free.pop_back();
    }
  }
}

void Program::load(const Leaf& leaf, const void* data, int64_t at, int64_t n, float* tile) const {
  const auto* bytes = static_cast<const std::byte*>(data);
  const auto item = static_cast<int64_t>(item_size(leaf.dtype));
  if (leaf.kind == Leaf::Kind::linear) return to_float(leaf.dtype, bytes + at * item, n, tile);
  if (leaf.kind == Leaf::Kind::uniform) {
    float value;
    to_float(leaf.dtype, bytes, 1, &value);
    std::fill(tile, tile + n, value);
    return;
  }
  const size_t rank = shape.size();
  const int64_t inner = shape[rank - 1], stride = leaf.strides[rank - 1];
  // What repeats along all axes but the last one is read once and copied on.
  const bool repeats =
      stride == 1 && std::all_of(leaf.strides.begin(), leaf.strides.end() - 1, [](int64_t s) { return s == 0; });
  if (repeats && 2 * inner < n) {
    const int64_t phase = at % inner;
    for (int64_t done = 0; done < inner;) {
      const int64_t from = (phase + done) % inner, here = inner - from;
      const int64_t count = std::min(here, inner - done);
      to_float(leaf.dtype, bytes + from * item, count, tile + done);
      done += count;
    }
    for (int64_t done = inner; done < n;) {
      const int64_t count = std::min(done, n - done);
      std::memcpy(tile + done, tile, static_cast<size_t>(count) * 4);
      done += count;
    }
    return;
  }
  while (n > 0) {
    int64_t rest = at / inner, offset = at % inner * stride;
    for (size_t axis = rank - 1; axis-- > 0; rest /= shape[axis]) offset += rest % shape[axis] * leaf.strides[axis];
    const int64_t here = std::min(n, inner - at % inner);
    const std::byte* from = bytes + offset * item;
    if (stride == 1) {
      to_float(leaf.dtype, from, here, tile);
    } else if (stride == 0) {
      to_float(leaf.dtype, from, 1, tile);
      std::fill(tile + 1, tile + here, *tile);
    } else if (leaf.dtype == DType::f32) {
      const auto* x = reinterpret_cast<const float*>(from);
      for (int64_t i = 0; i < here; ++i) tile[i] = x[i * stride];
    } else if (item == 2) {
      uint16_t near[tile_size];
      for (int64_t i = 0; i < here; ++i) near[i] = reinterpret_cast<const uint16_t*>(from)[i * stride];
      to_float(leaf.dtype, near, here, tile);
    } else {
      for (int64_t i = 0; i < here; ++i) to_float(leaf.dtype, from + i * stride * item, 1, tile + i);
    }
    tile += here, at += here, n -= here;
  }
}

void Program::run(const void* const* leaf, void* out_data, int64_t first, int64_t last) const {
  static thread_local std::vector<float> scratch;
  static thread_local std::vector<const float*> value;
  if (scratch.size() < static_cast<size_t>(slots_ + 1) * tile_size)
    scratch.resize(static_cast<size_t>(slots_ + 1) * tile_size);
  value.assign(static_cast<size_t>(registers), nullptr);
  const auto item = static_cast<int64_t>(item_size(out));
  auto tile_of = [&](int slot) { return scratch.data() + static_cast<int64_t>(slot) * tile_size; };
  for (size_t k = 0; k < leaves.size(); ++k) {
    if (leaves[k].kind != Leaf::Kind::uniform) continue;
    load(leaves[k], leaf[k], 0, std::min(tile_size, last - first), tile_of(slot_[k]));
    value[k] = tile_of(slot_[k]);
  }
  for (int64_t at = first; at < last; at += tile_size) {
    const int64_t n = std::min(tile_size, last - at);
    for (size_t k = 0; k < leaves.size(); ++k) {
      if (leaves[k].kind == Leaf::Kind::uniform) continue;
      if (slot_[k] < 0) {
        value[k] = static_cast<const float*>(leaf[k]) + at;
      } else {
        load(leaves[k], leaf[k], at, n, tile_of(slot_[k]));
        value[k] = tile_of(slot_[k]);
      }
    }
    std::byte* to = static_cast<std::byte*>(out_data) + at * item;
    for (const Instruction& it : instructions) {
      const bool direct = it.out == result && out == DType::f32;
      float* target = direct ? reinterpret_cast<float*>(to) : tile_of(slot_[static_cast<size_t>(it.out)]);
      auto operand = [&](int r) { return r < 0 ? nullptr : value[static_cast<size_t>(r)]; };
      it.function(target, operand(it.a), operand(it.b), operand(it.c), n, it.p, it.q);
      value[static_cast<size_t>(it.out)] = target;
    }
    const bool stored = out == DType::f32 && result >= static_cast<int>(leaves.size());
    if (!stored) from_float(out, value[static_cast<size_t>(result)], n, to);
  }
}

}  // namespace godwit::kernels
