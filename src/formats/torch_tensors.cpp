#include "formats/torch_tensors.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"

namespace godwit::formats {
namespace {

using pickle::Node;
using Kind = Node::Kind;

constexpr std::pair<std::string_view, DType> kStorages[] = {
    {"Float", DType::f32},
    {"Double", DType::f64},
    {"Half", DType::f16},
    {"BFloat16", DType::bf16},
    {"Long", DType::i64},
    {"Int", DType::i32},
    {"Short", DType::i16},
    {"Char", DType::i8},
    {"Byte", DType::u8},
    {"Bool", DType::boolean},
    {"ComplexFloat", DType::c64},
    {"ComplexDouble", DType::c128},
    {"UInt16", DType::u16},
    {"UInt32", DType::u32},
    {"UInt64", DType::u64},
    {"Float8_e4m3fn", DType::f8e4m3fn},
    {"Float8_e5m2", DType::f8e5m2},
    {"Float8_e4m3fnuz", DType::f8e4m3fnuz},
    {"Float8_e5m2fnuz", DType::f8e5m2fnuz},
};

// Without a storage class of their own: _rebuild_tensor_v3 over an untyped storage.
constexpr std::pair<std::string_view, DType> kDtypes[] = {
    {"float32", DType::f32},
    {"float64", DType::f64},
    {"float16", DType::f16},
    {"bfloat16", DType::bf16},
    {"int64", DType::i64},
    {"int32", DType::i32},
    {"int16", DType::i16},
    {"int8", DType::i8},
    {"uint8", DType::u8},
    {"bool", DType::boolean},
    {"complex64", DType::c64},
    {"complex128", DType::c128},
    {"uint16", DType::u16},
    {"uint32", DType::u32},
    {"uint64", DType::u64},
    {"float8_e4m3fn", DType::f8e4m3fn},
    {"float8_e5m2", DType::f8e5m2},
    {"float8_e4m3fnuz", DType::f8e4m3fnuz},
    {"float8_e5m2fnuz", DType::f8e5m2fnuz},
};

std::optional<DType> torch_dtype(const Node& node) {
  if (!node.is(Kind::global) || !node.text.starts_with("torch ")) return std::nullopt;
  for (auto [name, dtype] : kDtypes)
    if (node.text.substr(6) == name) return dtype;
  return std::nullopt;
}

const Node& argument(const Node& call, size_t i, Kind kind, const std::string& what) {
  require<FileError>(call.args && i < call.args->items.size() && call.args->items[i]->is(kind),
                     "{}: damaged pickle: {} has no proper argument {}", what, call.target->text, i);
  return *call.args->items[i];
}

std::vector<int64_t> integers(const Node& tuple, const std::string& what) {
  std::vector<int64_t> out;
  require<FileError>(tuple.items.size() <= 64, "{}: a tensor with {} dimensions", what, tuple.items.size());
  for (const Node* item : tuple.items) {
    require<FileError>(item->is(Kind::integer) && item->integer >= 0, "{}: bad shape or stride of a tensor", what);
    out.push_back(item->integer);
  }
  return out;
}

// A torch.Size is a call with the tuple inside.
const Node& shape_argument(const Node& call, size_t i, const std::string& what) {
  require<FileError>(call.args && i < call.args->items.size(), "{}: damaged pickle: {} has no argument {}", what,
                     call.target->text, i);
  const Node* node = call.args->items[i];
  if (node->is_call_of("torch Size")) node = &argument(*node, 0, Kind::tuple, what);
  require<FileError>(node->is(Kind::tuple) || node->is(Kind::list), "{}: damaged pickle: bad shape", what);
  return *node;
}

// Last element that the view reaches must lie in the storage.
void check_bounds(const Tensor& t, int64_t offset, int64_t count, const std::string& what) {
  const int64_t elements = checked_size(t.shape);
  if (elements == 0) return;
  int64_t last = offset;
  for (size_t i = 0; i < t.shape.size(); ++i) {
    int64_t reach = 0;
    const bool overflow =
        __builtin_mul_overflow(t.shape[i] - 1, t.strides[i], &reach) || __builtin_add_overflow(last, reach, &last);
    require<FileError>(!overflow, "{}: a tensor's strides overflow", what);
  }
  require<FileError>(last < count, "{}: a tensor reaches element {} of a storage of {}", what, last, count);
  // A view may repeat elements (stride 0), which would let a few bytes claim terabytes.
  require<FileError>(elements <= std::max<int64_t>(count, 1) * 1024, "{}: a tensor of {} elements over a storage of {}",
                     what, elements, count);
}

bool is_row_major(const Tensor& t) {
  int64_t expected = 1;
  for (size_t i = t.shape.size(); i-- > 0;) {
    if (t.shape[i] != 1 && t.strides[i] != expected) return false;
    expected *= t.shape[i];
  }
  return true;
}

TorchTensor view(const Node& call, std::optional<DType> dtype, const FindStorage& find, const std::string& what) {
  const Node& id = argument(call, 0, Kind::persistent, what);
  TorchStorage storage = read_storage(id, find, what);
  const int64_t offset = argument(call, 1, Kind::integer, what).integer;
  require<FileError>(offset >= 0, "{}: negative storage offset {}", what, offset);
  TorchTensor out;
  out.storage_key = storage.key;
  Tensor& t = out.tensor;
  t.dtype = dtype.value_or(storage.dtype);
  t.shape = integers(shape_argument(call, 2, what), what);
  t.strides = integers(shape_argument(call, 3, what), what);
  require<FileError>(t.shape.size() == t.strides.size(), "{}: a tensor with {} dimensions and {} strides", what,
                     t.shape.size(), t.strides.size());
  const int64_t count = static_cast<int64_t>(storage.bytes.size() / item_size(t.dtype));
  if (checked_size(t.shape) == 0) {
    t.strides.clear();
    return out;
  }
  check_bounds(t, offset, count, what);
  t.data = storage.bytes.data() + static_cast<size_t>(offset) * item_size(t.dtype);
  t.owner = storage.owner;
  if (is_row_major(t)) t.strides.clear();
  return out;
}

// Old files may name a part of a storage: (key, offset, count).
void view_storage(TorchStorage& storage, const Node& part, const std::string& what) {
  const bool is_part = part.items.size() == 3 && part.items[1]->is(Kind::integer) && part.items[2]->is(Kind::integer);
  require<FileError>(is_part, "{}: damaged pickle: bad part of a storage", what);
  const int64_t offset = part.items[1]->integer, count = part.items[2]->integer;
  require<FileError>(offset >= 0 && count >= 0 && offset <= storage.count && count <= storage.count - offset,
                     "{}: elements {} to {} of a storage of {}", what, offset, offset + count, storage.count);
  const size_t item = item_size(storage.dtype);
  storage.bytes = storage.bytes.subspan(static_cast<size_t>(offset) * item, static_cast<size_t>(count) * item);
  storage.count = count;
}

constexpr std::string_view kParameter = "torch._utils _rebuild_parameter";
constexpr std::string_view kParameterWithState = "torch._utils _rebuild_parameter_with_state";
constexpr std::string_view kTensorV1 = "torch._utils _rebuild_tensor";
constexpr std::string_view kTensorV2 = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kTensorV3 = "torch._utils _rebuild_tensor_v3";
constexpr std::string_view kQuantized = "torch._utils _rebuild_qtensor";

}  // namespace

std::optional<DType> storage_dtype(std::string_view name) {
  if (!name.ends_with("Storage")) return std::nullopt;
  name.remove_suffix(7);
  for (auto [storage, dtype] : kStorages)
    if (name == storage) return dtype;
  if (name == "Untyped") return DType::u8;
  return std::nullopt;
}

TorchStorage read_storage(const Node& id, const FindStorage& find, const std::string& what) {
  const Node* tuple = id.is(Kind::persistent) ? id.args : nullptr;
  const bool is_id = tuple && tuple->is(Kind::tuple) && tuple->items.size() >= 5 && tuple->items[0]->is(Kind::text) &&
                     tuple->items[0]->text == "storage" && tuple->items[1]->is(Kind::global) &&
                     tuple->items[2]->is(Kind::text) && tuple->items[4]->is(Kind::integer);
  require<FileError>(is_id, "{}: damaged pickle: bad storage id", what);
  const std::string& type = tuple->items[1]->text;
  const auto dtype = storage_dtype(std::string_view(type).substr(type.find(' ') + 1));
  require<FileError>(dtype.has_value(), "{}: tensors of {} are not supported", what, type);
  const int64_t count = tuple->items[4]->integer;
  require<FileError>(count >= 0 && count <= (int64_t{1} << 48), "{}: a storage of {} elements", what, count);
  TorchStorage storage = find(*dtype, tuple->items[2]->text, count);
  const uint64_t needed = static_cast<uint64_t>(count) * item_size(*dtype);
  require<FileError>(storage.bytes.size() >= needed, "{}: storage {} holds {} bytes, the pickle says {}", what,
                     storage.key, storage.bytes.size(), needed);
  storage.bytes = storage.bytes.first(needed);
  storage.count = count;
  if (tuple->items.size() > 5 && tuple->items[5]->is(Kind::tuple)) view_storage(storage, *tuple->items[5], what);
  return storage;
}

bool is_tensor_call(const Node& node) {
  if (!node.is(Kind::call)) return false;
  const std::string& name = node.target->text;
  return name == kParameter || name == kParameterWithState || name == kTensorV1 || name == kTensorV2 ||
         name == kTensorV3 || name == kQuantized;
}

TorchTensor read_tensor(const Node& call, const FindStorage& find, const std::string& what) {
  const Node* node = &call;
  if (node->is_call_of(kParameter) || node->is_call_of(kParameterWithState)) {
    node = &argument(*node, 0, Kind::call, what);
    require<FileError>(!node->is_call_of(kParameter), "{}: a parameter of a parameter", what);
  }
  require<FileError>(!node->is_call_of(kQuantized), "{}: quantized tensors (_rebuild_qtensor) are not supported", what);
  if (node->is_call_of(kTensorV3)) {
    const auto dtype = torch_dtype(argument(*node, 6, Kind::global, what));
    require<FileError>(dtype.has_value(), "{}: tensors of {} are not supported", what, node->args->items[6]->text);
    return view(*node, dtype, find, what);
  }
  require<FileError>(node->is_call_of(kTensorV1) || node->is_call_of(kTensorV2), "{}: {} makes no tensor", what,
                     node->target->text);
  return view(*node, std::nullopt, find, what);
}

bool is_tensor_global(std::string_view name) {
  for (auto known : {kParameter, kParameterWithState, kTensorV1, kTensorV2, kTensorV3, kQuantized})
    if (name == known) return true;
  if (name == "torch.serialization _get_layout" || name == "torch device" || name == "torch Size" ||
      name == "collections OrderedDict" || name == "builtins complex" || name == "__builtin__ complex")
    return true;
  for (std::string_view module : {"torch ", "torch.storage "}) {
    if (!name.starts_with(module)) continue;
    const auto rest = name.substr(module.size());
    // Quantized ones too: they are refused by their reason when they are read.
    if (storage_dtype(rest) || rest == "QInt8Storage" || rest == "QUInt8Storage" || rest == "QInt32Storage")
      return true;
    if (rest == "per_tensor_affine" || rest == "per_channel_affine") return true;
    for (auto [dtype, unused] : kDtypes)
      if (rest == dtype) return true;
  }
  return false;
}

}  // namespace godwit::formats
