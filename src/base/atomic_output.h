// An output file or folder that appears whole or not at all.
//
// It is written beside its place under the name `.NAME.godwit-partial-*` and moved there at commit. An exception, a
// full disk or a kill leaves what was there before; what a killed process left behind is removed by the next
// AtomicOutput in that folder (a partial output is locked while its writer lives).
#pragma once

#include <filesystem>

namespace godwit {

class AtomicOutput {
 public:
  enum class Kind { file, folder };

  // Throws UsageError when the output cannot be created there, naming the reason.
  AtomicOutput(std::filesystem::path target, Kind kind);
  ~AtomicOutput();  // removes what was not committed
  AtomicOutput(const AtomicOutput&) = delete;

  // Where to write: an existing empty file or folder.
  const std::filesystem::path& path() const { return partial_; }

  // Moves the output to its place; what stood there is replaced. Throws UsageError when that fails.
  void commit();

 private:
  void create(Kind kind);

  std::filesystem::path target_, partial_;
  int lock_ = -1;
};

}  // namespace godwit
