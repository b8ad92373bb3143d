// Fields and members of the classes that a program becomes: one class a block, one for the whole model.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "emit/code/names.h"
#include "emit/code/program.h"

namespace godwit::emit {

struct Field {
  std::string name;         // "attention_query_weight"
  std::string suffix;       // "attention.query.weight": the weight's name below the instance's own
  const ir::Value* weight;  // of the first instance
};

struct Member {
  std::string name;  // "encoder_layers"
  const Block* block;
  std::string path;                // "encoder.layers": below the instance's own
  int first_index = 0, count = 0;  // count 0: one block, no list
};

struct Layout {
  std::vector<Field> fields;
  std::vector<Member> members;
  std::map<const Statement*, std::string> member_of;  // calls and loops of the bodies
};

struct Layouts {
  std::map<const Block*, Layout> blocks;
  Layout model;
  std::map<const Block*, std::vector<std::string>> fields;  // parallel to Block::weights, roots included
  std::string prefix;                                       // of all weight names that follow the module tree
  std::map<std::string, std::string> aliases;               // name in the code -> name in the file, where they differ
};

Layouts lay_out(const Program& program);

// The name of a weight in its file, or of a large constant.
const std::string& stored_name(const Program& program, const ir::Value* weight);

}  // namespace godwit::emit
