#include "base/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <new>
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

std::byte* aligned(void* p, size_t alignment) {
  return reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(p) + alignment - 1) / alignment * alignment);
}

}  // namespace

std::shared_ptr<std::byte> zeroed_memory(size_t bytes) {
#ifdef MADV_HUGEPAGE
  if (constexpr size_t page = size_t{2} << 20; bytes >= page) {
    const size_t size = bytes + page;  // of addresses: pages that nobody touches take no memory
    void* block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) throw std::bad_alloc();
    std::byte* start = aligned(block, page);
    ::madvise(start, bytes, MADV_HUGEPAGE);
    return {start, [block, size](std::byte*) { ::munmap(block, size); }};
  }
#endif
  constexpr size_t line = 64;
  // large blocks of calloc are fresh pages, zero without being written
  void* block = std::calloc(bytes + line, 1);
  if (!block) throw std::bad_alloc();
  return {aligned(block, line), [block](std::byte*) { std::free(block); }};
}

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
