// Shorthands that several families use.
#pragma once

#include "frontends/onnx/call.h"

namespace godwit::frontends::onnx {

// Both operands with one dtype and, for opsets below 7, the legacy attributes `axis` and `broadcast`.
Value* binary(const Call& c, std::string_view op, Value* x, Value* y);

// The value as f32 where it is an integer or a half type, itself where it is f32 or f64.
Value* as_real(const Call& c, Value* v);
// The value as f32 where it is a half type.
Value* as_wide(const Call& c, Value* v);

Value* add(const Call& c, Value* x, Value* y);
Value* subtract(const Call& c, Value* x, Value* y);
Value* multiply(const Call& c, Value* x, Value* y);
Value* divide(const Call& c, Value* x, Value* y);
Value* add(const Call& c, Value* x, double y);
Value* multiply(const Call& c, Value* x, double y);
Value* reduce(const Call& c, std::string_view op, Value* x, const std::vector<int64_t>& axes, bool keepdims);
Value* slice(const Call& c, Value* x, int64_t axis, ir::Dim start, ir::Dim stop);
Value* expand(const Call& c, Value* x, const std::vector<int64_t>& axes);
Value* transpose(const Call& c, Value* x, const std::vector<int64_t>& axes);
Value* full(const Call& c, DType dtype, double value, ir::Dims shape);
std::vector<Value*> split(const Call& c, Value* x, const ir::Dims& sizes, int64_t axis);

// 1 for every axis but `axis`: a vector of `x`'s axis in broadcast position.
Value* along(const Call& c, Value* vector, int64_t axis, int64_t rank);

// Rows that only rename: operands in order, no attributes.
Row rename(std::string onnx, std::string op);

}  // namespace godwit::frontends::onnx
