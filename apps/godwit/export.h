// Models that exist as Python code: tools/export/export.py turns them into .pt2 in a child process.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "frontends/frontend.h"

namespace godwit::app {

struct ExportRequest {
  std::filesystem::path source;  // a .py file, or a folder in the layout of transformers
  std::string model_class;       // what makes the model: a class or function of the file
  std::string weights;           // a state dict to load into it
  std::vector<std::string> inputs, sizes;
};

struct Exported {
  std::filesystem::path program, golden;  // a .pt2 file, and what the original computes
  frontends::ImportOptions inputs;        // shapes with the user's names of dynamic dimensions
  std::string what, framework;            // "Net() of net.py", "torch 2.13.0"
  std::vector<std::string> warnings;
};

// Whether only Python can read this.
bool is_python_model(const std::filesystem::path& source);

// Runs the file that the user names; of a folder no code is run. Says so on stderr. Writes into `folder`.
// Throws UsageError with the reason that the script gives, and where Python or torch is missing.
Exported export_model(const ExportRequest& request, const std::filesystem::path& folder);

}  // namespace godwit::app
