// A bounded machine for Python pickles that never calls anything: it builds a tree of plain nodes in which a call is
// a node too. What a call means is for the reader of the tree to say.
//
// A pickle may name a global (a class or function) only when the caller's allow-list has it; any other is refused by
// name. Protocols 0 to 5 are read, without extension registries and out-of-band buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::formats::pickle {

struct Node {
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    long_integer,
    real,
    text,
    bytes,
    list,
    tuple,
    dict,
    global,
    call,        // target(args...): REDUCE
    object,      // target.__new__(target, args...): NEWOBJ
    persistent,  // something that lies outside of the pickle
  };
  Kind kind = Kind::none;
  bool flag = false;
  int64_t integer = 0;
  double real = 0;
  std::string text;          // text, bytes, little-endian bytes of a long_integer, a global's "module name"
  std::vector<Node*> items;  // list, tuple, set; dict: key, value, key, value; also appended to calls and objects
  Node* target = nullptr;    // call, object: the global
  Node* args = nullptr;      // call, object: a tuple; persistent: the id
  Node* state = nullptr;     // argument of BUILD

  bool is(Kind k) const { return kind == k; }
  bool is_global(std::string_view name) const { return kind == Kind::global && text == name; }
  bool is_call_of(std::string_view name) const { return kind == Kind::call && target->is_global(name); }
  // The value of a text key in a dict; null where absent.
  const Node* find(std::string_view key) const;
};

// Owns the nodes; they may share and, in hostile files, refer to each other in circles: walk with a depth limit.
struct Tree {
  std::deque<Node> nodes;
  Node* root = nullptr;
  size_t size = 0;  // bytes read, STOP included
};

// `name` is "module name", separated by one space.
using Allowed = std::function<bool(std::string_view name)>;

// `what` names the file in messages. Throws FileError.
Tree read(std::span<const std::byte> bytes, const Allowed& allowed, const std::string& what);

}  // namespace godwit::formats::pickle
