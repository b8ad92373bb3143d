// libFuzzer's entry for all targets: GODWIT_FUZZ_TARGET names one (scripts/fuzz.sh runs each for a while). The first
// byte of an input chooses the sample whose way of reading is taken, the rest is the file.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "targets.h"

namespace {

using namespace godwit;

std::vector<fuzz::Sample> chosen_samples() {
  const char* name = std::getenv("GODWIT_FUZZ_TARGET");
  for (const fuzz::Target& target : fuzz::targets())
    if (name && !std::strcmp(name, target.name)) return target.samples();
  std::fprintf(stderr, "GODWIT_FUZZ_TARGET names no target (fuzz_readers --list)\n");
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<fuzz::Sample> samples = chosen_samples();
  if (size == 0) return 0;
  try {
    samples[data[0] % samples.size()].read(std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  } catch (const FileError&) {
  } catch (const UsageError&) {
  }  // any other exception ends the program: a finding
  return 0;
}
