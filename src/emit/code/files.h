// Writing the files of a generated model.
#pragma once

#include <filesystem>
#include <string>

#include "emit/code/program.h"

namespace godwit::emit {

// Throws FileError.
void write_file(const std::filesystem::path& path, const std::string& text);

// Large constants and initial states as constants.safetensors in `dir`; no file where there are none.
void write_constants(const Program& program, const std::filesystem::path& dir);
bool has_constants(const Program& program);
// Set where a state starts as something else than zeros: its name in the constants file.
bool has_initial(const ir::State& state);
std::string initial_name(const Root& root, const ir::State& state);

// The file that the model comes from.
std::string title(const ir::Module& module);

}  // namespace godwit::emit
