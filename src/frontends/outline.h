// What a file says of itself before its graph is made: for files that do not tell the shapes of their inputs.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontends/frontend.h"

namespace godwit::frontends {

struct Outline {
  struct Input {
    std::string name, type;  // the source's word: "Tensor", "int", "tensor(float)"
    bool has_default = false;
  };
  std::vector<Input> inputs;
  std::vector<std::string> outputs;
  std::map<std::string, int> ops;  // calls in the program text, under the source's names
  std::map<std::string, Tensor> tensors;
};

// Throws FileError for a damaged file. None for formats that always tell.
std::optional<Outline> outline(const std::filesystem::path& path);

}  // namespace godwit::frontends
