// What users say about inputs: `--input NAME=...`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "executors/mlx/executor.h"
#include "frontends/frontend.h"

namespace godwit::app {

// "NAME=..." in two; `what` is the option, for messages. Throws UsageError.
std::pair<std::string, std::string> split_pair(const std::string& spec, const char* what);

// For import: NAME=SHAPE[:DTYPE] ("x=B,3,224,224:float32") or NAME=VALUE ("sr=16000"). A single number may mean either;
// the frontend takes the value where the source says that the input is a scalar. Throws UsageError.
frontends::ImportOptions import_options(const std::vector<std::string>& specs);

// Of the inputs of a run, those that are given as shapes ("x=1,3,224,224"): what a source file may leave open.
frontends::ImportOptions shape_options(const std::vector<std::string>& specs);

// For a run: NAME=SHAPE (random values), NAME=FILE.npy, NAME=FILE.safetensors (the tensor of that name), NAME=random,
// NAME=NUMBER, or one file FILE.safetensors that holds all inputs. Inputs that are not named are random; symbols are
// given as NAME:SYMBOL=N through `sizes` ("B=4"), 2 where nothing is said. Throws UsageError.
std::map<std::string, executors::HostValue> run_inputs(const ir::Graph& graph, const std::vector<std::string>& specs,
                                                       const std::vector<std::string>& sizes, uint64_t seed);

// Shapes of given tensors settle symbols that the inputs have as dimensions.
void learn_symbols(const ir::Value& input, const Tensor& tensor, ir::Dim::Env& env);

// SYMBOL=N pairs. Throws UsageError.
ir::Dim::Env parse_sizes(const std::vector<std::string>& sizes);

}  // namespace godwit::app
