// Values of a PyTorch program while it is translated: what operators take and return.
//
// Conventions: a dtype is an int with PyTorch's own number (c10::ScalarType: 6 is float32), a layout or memory format
// is an int, a device is a text. Integers are dimensions, so they may be symbolic.
#pragma once

#include <complex>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "frontends/aten/tensor_ref.h"
#include "ir/dim.h"

namespace godwit::frontends::aten {

struct Value;
using Values = std::vector<Value>;
using List = std::shared_ptr<Values>;  // has identity: scripts append to lists

struct Tuple {
  std::shared_ptr<Values> items;
};

// A bool or float that only the run will tell (`x.item()`): a 0-d tensor that promotes as a Python number does.
struct RunNumber {
  ir::Value* value;
};

// What a frontend adds of its own (dicts, module objects).
struct Opaque {
  virtual ~Opaque() = default;
};

struct None {};

struct Value {
  std::variant<None, TensorRef, RunNumber, bool, ir::Dim, double, std::complex<double>, std::string, List, Tuple,
               std::shared_ptr<Opaque>>
      data;

  Value() = default;
  Value(None) {}
  Value(TensorRef v) {
    if (v) data = std::move(v);
  }
  Value(RunNumber v) : data(v) {}
  Value(bool v) : data(v) {}
  Value(int v) : data(ir::Dim(v)) {}
  Value(int64_t v) : data(ir::Dim(v)) {}
  Value(ir::Dim v) : data(std::move(v)) {}
  Value(double v) : data(v) {}
  Value(std::complex<double> v) : data(v) {}
  Value(std::string v) : data(std::move(v)) {}
  Value(const char* v) : data(std::string(v)) {}
  Value(List v) : data(std::move(v)) {}
  Value(Tuple v) : data(std::move(v)) {}
  Value(std::shared_ptr<Opaque> v) : data(std::move(v)) {}

  static Value list(Values items) { return List(std::make_shared<Values>(std::move(items))); }
  static Value tuple(Values items) { return Tuple{std::make_shared<Values>(std::move(items))}; }
  static Value dims(const ir::Dims& dims) { return list({dims.begin(), dims.end()}); }

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(data);
  }
  template <class T>
  const T* get() const {
    return std::get_if<T>(&data);
  }

  bool is_none() const { return is<None>(); }
  bool is_tensor() const { return is<TensorRef>(); }
  // bool, int, float, complex, known or not
  bool is_number() const {
    return is<bool>() || is<ir::Dim>() || is<double>() || is<std::complex<double>>() || is<RunNumber>();
  }
  // The items of a list or tuple; null for anything else.
  const Values* items() const {
    if (auto* l = get<List>()) return l->get();
    if (auto* t = get<Tuple>()) return t->items.get();
    return nullptr;
  }
};

// "Tensor", "int", "list of 3" ...: for messages.
std::string describe(const Value& value);

// c10::ScalarType numbers. nullopt / -1 for types that are not tensors' here (quantized, complex32).
std::optional<DType> dtype_of_code(int64_t code);
int64_t code_of_dtype(DType dtype);

}  // namespace godwit::frontends::aten
