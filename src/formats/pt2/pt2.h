// Reader of torch.export archives (.pt2): bytes to plain structs. Knows nothing of operators.
//
// Every error is a FileError that names the file and the place inside it. Nothing is executed: pickled payloads
// (tensor subclasses, custom objects, sample inputs) are not read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace godwit::formats::pt2 {

// An integer, or an expression of symbols as sympy's srepr text.
struct SymInt {
  int64_t value = 0;
  std::string expression;  // empty: `value` holds
};

struct TensorMeta {
  std::optional<DType> dtype;  // unset: a type that we do not have (complex32)
  int64_t dtype_code = 0;      // the file's own number
  std::vector<SymInt> sizes, strides;
  SymInt storage_offset;
  int64_t layout = 7;  // 7: strided
};

struct Graph;

struct Argument {
  enum class Kind : uint8_t {
    none,
    tensor,
    symbol,  // symbol: a named int, bool or float of the graph
    integer,
    real,
    flag,
    text,
    complex,
    scalar_type,
    memory_format,
    layout,
    device,
    list,
    graph,
    op,
    custom_object,
  };
  Kind kind = Kind::none;
  std::string name;           // tensor, symbol, text, device ("cpu"), op, custom_object
  int64_t integer = 0;        // integer, scalar_type, memory_format, layout
  double real = 0, imag = 0;  // real, complex
  bool flag = false;
  std::vector<Argument> items;
  std::shared_ptr<const Graph> graph;
};

struct NamedArgument {
  std::string name;  // of the schema; "" for operands of higher-order operators
  Argument value;
};

struct Node {
  std::string target;  // "torch.ops.aten.add.Tensor", "_operator.mul" ...
  std::string name;    // may be empty (old files)
  std::vector<NamedArgument> inputs;
  std::vector<Argument> outputs;
  std::string place;  // "model.py:41", from the stack trace
  std::string scope;  // "encoder.layers.0", from the module stack
};

struct Graph {
  std::vector<Argument> inputs, outputs;
  std::vector<Node> nodes;
  std::map<std::string, TensorMeta> tensor_values;
  std::map<std::string, SymInt> sym_int_values;
};

struct InputSpec {
  enum class Kind : uint8_t { user_input, parameter, buffer, tensor_constant, custom_object, token, constant_input };
  Kind kind = Kind::user_input;
  std::string name;    // placeholder
  std::string target;  // FQN of the parameter, buffer or constant
  bool persistent = true;
  Argument value;  // constant_input: what the program was specialised on
};

struct OutputSpec {
  enum class Kind : uint8_t {
    user_output,
    loss_output,
    buffer_mutation,
    parameter_mutation,
    user_input_mutation,
    token,
    gradient
  };
  Kind kind = Kind::user_output;
  Argument value;
  std::string target;  // FQN or placeholder that is mutated
};

struct Program {
  std::string name;  // "model"
  std::string torch_version;
  int64_t schema_minor = 0;
  Graph graph;
  std::vector<InputSpec> inputs;    // parallel to graph.inputs
  std::vector<OutputSpec> outputs;  // parallel to graph.outputs
  std::vector<std::string>
      output_names;       // of the user outputs, from the tree of results: "output", "output_0", "logits"
  size_t node_count = 0;  // nested graphs included
};

struct Archive {
  std::string file;
  std::vector<Program> programs;
  // By FQN; they point into the mapped file, with the strides of the original.
  std::map<std::string, Tensor> weights, constants;
  // FQNs whose payload cannot be read, with the reason ("is pickled", "payload is too short").
  std::map<std::string, std::string> unreadable;
};

// Throws FileError.
Archive read(const std::filesystem::path& path);
// The same from bytes in memory; `owner` keeps them alive, `name` opens every message.
Archive read(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name);

// The file has <root>/archive_format = "pt2".
bool looks_like_pt2(const std::filesystem::path& path);

// A dtype by its number in the schema (not c10's); unset for one that we do not have.
std::optional<DType> dtype_of_schema_code(int64_t code);

// One program from its JSON text; `where` opens every message.
Program parse_program(std::string_view json, std::string name, const std::string& where);

}  // namespace godwit::formats::pt2
