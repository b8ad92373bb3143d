#include "base/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <new>
#include <optional>
#include <string>

#include "base/error.h"

namespace godwit {
namespace {

// "VmHWM:   123 kB" of such a file; 0 where there is none.
size_t kilobytes_of(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    size_t kilobytes = 0;
    if (word == key && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

std::byte* aligned(void* p, size_t alignment) {
  return reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(p) + alignment - 1) / alignment * alignment);
}

size_t status_bytes(const std::string& key) { return kilobytes_of("/proc/self/status", key); }

// One number of a file; none where it holds another word ("max").
std::optional<size_t> number_in(const char* path) {
  std::ifstream file(path);
  size_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

size_t parse_size(const std::string& text) {
  size_t end = 0, shift = 0;
  unsigned long long number = 0;
  if (!text.empty() && text[0] >= '0' && text[0] <= '9') number = std::stoull(text.substr(0, 19), &end);
  if (end > 0 && end + 1 == text.size()) {
    const std::string units = "KMGT";
    const size_t unit = units.find(text[end]);
    if (unit != std::string::npos) shift = 10 * (unit + 1), ++end;
  }
  require<UsageError>(end > 0 && end == text.size() && number <= (SIZE_MAX >> shift),
                      "GODWIT_MEMORY_LIMIT is {}; a number of bytes is expected, with K, M, G or T behind it or none",
                      text);
  return static_cast<size_t>(number) << shift;
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

size_t memory_limit_bytes() {
  if (const char* given = std::getenv("GODWIT_MEMORY_LIMIT"); given && *given) return parse_size(given);
  size_t limit = SIZE_MAX;
  if (const size_t left = kilobytes_of("/proc/meminfo", "MemAvailable:")) limit = left;
  const auto most = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
  if (most && used) limit = std::min(limit, *most > *used ? *most - *used : 0);
  return limit;
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
