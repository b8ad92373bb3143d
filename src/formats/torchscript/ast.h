// The syntax tree of serialized TorchScript. It keeps what the text says, parentheses and trailing commas included, so
// that it prints back byte for byte (printer.h). Types are expressions too: `List[Tensor]` is a subscript.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace godwit::formats::torchscript {

struct Expr {
  enum class Kind : uint8_t {
    name,
    number,
    text,       // `text` holds the spelling; numbers with their sign, texts with their quotes
    attribute,  // items[0].text
    subscript,  // items[0][items[1...]]
    paren,      // (items[0])
    list,
    tuple,
    dict,        // dict: key, value, key, value
    bare_tuple,  // a, b without parentheses
    call,        // items[0](items[1...]), names[i] != "" for keyword arguments
  };
  Kind kind = Kind::name;
  bool trailing_comma = false;
  std::string text;
  std::vector<Expr> items;
  std::vector<std::string> names;  // call: parallel to items
  uint32_t offset = 0;             // byte in the file
};

struct Parameter {
  std::string name;
  std::unique_ptr<Expr> type, fallback;  // either may be absent
};

struct Stmt;

struct Function {
  std::string name;
  std::vector<Parameter> parameters;
  std::unique_ptr<Expr> returns;  // absent in forked functions
  std::vector<Stmt> body;
  uint32_t offset = 0;
};

struct Stmt {
  enum class Kind : uint8_t {
    assign,     // targets = value; a trailing comma on the targets unpacks one tuple
    annotated,  // targets[0] : type = value
    expression,
    return_value,
    pass,
    if_else,    // value, body, orelse
    for_range,  // targets[0] in range(value)
    while_loop,
    with,
    function,
  };
  Kind kind = Kind::pass;
  bool trailing_comma = false;
  std::vector<Expr> targets;
  std::unique_ptr<Expr> value, type;
  std::vector<Stmt> body, orelse;
  std::unique_ptr<Function> function;
  uint32_t offset = 0;
};

struct Member {
  enum class Kind : uint8_t {
    names,       // __parameters__ = ["weight", ]
    field,       // NAME : type, or __annotations__["0"] = type
    constant,    // NAME : Final[type] = value
    enumerator,  // NAME = value
    method,
  };
  Kind kind = Kind::field;
  bool is_annotation = false;  // spelled __annotations__["0"]; name holds the spelling with quotes
  std::string name;
  std::unique_ptr<Expr> type, value;
  std::unique_ptr<Function> method;
};

struct Class {
  std::string name;
  std::string base;  // "Module", "NamedTuple", ...; empty for plain classes
  std::vector<Member> members;
  uint32_t offset = 0;
};

// Classes and functions in the order of the file.
struct File {
  struct Item {
    std::unique_ptr<Class> type;  // exactly one of the two
    std::unique_ptr<Function> function;
  };
  std::string path;  // "__torch__/torch/nn/functional.py"
  std::vector<Item> items;
};

}  // namespace godwit::formats::torchscript
