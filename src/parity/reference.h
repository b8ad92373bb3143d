// The original model, run in its own framework by tools/reference/run.py in a child process.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "parity/bench.h"
#include "parity/golden.h"
#include "parity/process.h"

namespace godwit::parity {

class Reference : public Peer {
 public:
  // Starts the process and waits until the model is loaded. Python is $GODWIT_PYTHON or python3; the script lies in
  // $GODWIT_TOOLS, or beside the program's installation, or in the folder the program is run from. Throws UsageError
  // where any of this is missing.
  Reference(const std::filesystem::path& model, int threads, bool layers = false);

  std::string name() const override { return name_; }
  std::string version() const override { return version_; }

  // Outputs, and with layers every intermediate tensor, for these inputs. State carries over until reset().
  Golden run(const Tensors& inputs);
  void reset();

  // What run_ms() measures.
  void set_inputs(const Tensors& inputs);
  double run_ms() override;
  int64_t peak_memory_bytes() const override { return peak_memory_; }

 private:
  std::filesystem::path write(const Tensors& inputs, const std::string& suffix) const;

  std::string name_, version_;
  bool layers_;
  int64_t peak_memory_ = 0;
  std::unique_ptr<Process> process_;
};

// The path of a script under tools/ ("reference/run.py"); throws UsageError naming the places it looked at.
std::filesystem::path tool_script(const std::string& name);
// $GODWIT_PYTHON, or python3.
std::string python_program();

}  // namespace godwit::parity
