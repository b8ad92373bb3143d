// State in attributes: what a program keeps from call to call.
//
// A call that starts from the file's attributes often differs from every later one: states start empty, sizes are
// remembered. So the program is translated again with what the first call left behind, until a call leaves behind what
// it found; written tensors become state of the graph that starts as the file says, or as zeros where the file holds an
// empty tensor. That zeros are right is then checked by running both translations.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "frontends/frontend.h"
#include "frontends/torchscript/evaluator.h"

namespace godwit::frontends::torchscript {

// What is known about the attributes that the program writes.
struct Plan {
  struct State {
    ir::Type type;
    std::optional<Tensor> initial;
    bool is_number = false;
  };
  std::map<std::string, Value> constants;  // attributes that hold this in every call but the first
  std::map<std::string, State> states;
  bool shows_states = false;  // what tensors leave behind is an output too
};

struct Written {
  Value before, after;  // tensors among them belong to the round's graph: only `type` outlives it
  ir::Type type;
  std::optional<Tensor> pickled;
};

// One translation.
struct Round {
  Imported imported;
  std::map<std::string, Written> written;
  bool is_blocked = false;  // by an unsupported operator
};

inline std::string state_output_name(const std::string& path) { return "state " + path; }

Round import_round(const std::shared_ptr<script::Archive>& archive, const ImportOptions& options, const Plan& plan);
Imported import_steady(const std::shared_ptr<script::Archive>& archive, const ImportOptions& options);

}  // namespace godwit::frontends::torchscript
