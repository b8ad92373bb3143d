#include "frontends/aten/value.h"

#include <fmt/format.h>

namespace godwit::frontends::aten {

std::string describe(const Value& value) {
  struct Describe {
    std::string operator()(const None&) const { return "None"; }
    std::string operator()(const TensorRef& v) const { return "Tensor " + ir::str(v.type()); }
    std::string operator()(const RunNumber& v) const { return "run-time number " + ir::str(v.value->type); }
    std::string operator()(bool v) const { return v ? "bool True" : "bool False"; }
    std::string operator()(const ir::Dim& v) const { return "int " + v.str(); }
    std::string operator()(double v) const { return fmt::format("float {}", v); }
    std::string operator()(const std::complex<double>&) const { return "complex"; }
    std::string operator()(const std::string& v) const { return fmt::format("str '{}'", v); }
    std::string operator()(const List& v) const { return fmt::format("list of {}", v->size()); }
    std::string operator()(const Tuple& v) const { return fmt::format("tuple of {}", v.items->size()); }
    std::string operator()(const std::shared_ptr<Opaque>&) const { return "object"; }
  };
  return std::visit(Describe{}, value.data);
}

namespace {

struct Code {
  int64_t code;
  DType dtype;
};

constexpr Code codes[] = {
    {0, DType::u8},          {1, DType::i8},    {2, DType::i16},     {3, DType::i32},       {4, DType::i64},
    {5, DType::f16},         {6, DType::f32},   {7, DType::f64},     {9, DType::c64},       {10, DType::c128},
    {11, DType::boolean},    {15, DType::bf16}, {23, DType::f8e5m2}, {24, DType::f8e4m3fn}, {25, DType::f8e5m2fnuz},
    {26, DType::f8e4m3fnuz}, {27, DType::u16},  {28, DType::u32},    {29, DType::u64},      {44, DType::f8e8m0},
};

}  // namespace

std::optional<DType> dtype_of_code(int64_t code) {
  for (const Code& c : codes)
    if (c.code == code) return c.dtype;
  return std::nullopt;
}

int64_t code_of_dtype(DType dtype) {
  for (const Code& c : codes)
    if (c.dtype == dtype) return c.code;
  return -1;
}

}  // namespace godwit::frontends::aten
