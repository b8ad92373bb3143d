#include "base/memory.h"

#include <sys/resource.h>

#include <fstream>
#include <string>

namespace godwit {
namespace {

// "VmHWM:   123 kB" of /proc/self/status; 0 where there is none.
size_t status_bytes(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    size_t kilobytes = 0;
    if (word == key && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

}  // namespace

size_t peak_memory_bytes() {
  if (size_t bytes = status_bytes("VmHWM:")) return bytes;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return static_cast<size_t>(usage.ru_maxrss);
#else
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
#endif
}

size_t resident_memory_bytes() { return status_bytes("VmRSS:"); }

bool reset_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

}  // namespace godwit
