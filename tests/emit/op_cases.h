// The cases of tests/data/emit/cases.txt as one graph.
#pragma once

#include <set>
#include <string>

#include "ir/graph.h"

namespace godwit::testing {

struct OpCases {
  ir::Module module;              // one graph, main: an output for each result
  std::set<std::string> covered;  // rows that occur
  std::set<std::string> later;    // rows that occur, but are not in the table
};

OpCases read_op_cases(const std::string& file);

}  // namespace godwit::testing
