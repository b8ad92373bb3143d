#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"

namespace godwit {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

namespace {

// Mapped files by their first byte.
struct Registry {
  std::mutex mutex;
  std::map<const std::byte*, const MappedFile*> files;
};

Registry& registry() {
  static Registry* instance = new Registry;  // outlives every mapping that statics hold
  return *instance;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // Non-blocking, so that a named pipe is refused below instead of being waited for.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  require<FileError>(file.fd >= 0, "cannot open {}: {}", path.string(), std::strerror(errno));
  struct stat status {};
  require<FileError>(::fstat(file.fd, &status) == 0, "cannot read {}: {}", path.string(), std::strerror(errno));
  require<FileError>(S_ISREG(status.st_mode), "cannot read {}: not a regular file", path.string());

  std::shared_ptr<MappedFile> mapped(new MappedFile);
  mapped->path_ = path;
  mapped->device_ = status.st_dev;
  mapped->inode_ = status.st_ino;
  if (status.st_size == 0) return mapped;
  const auto size = static_cast<size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  require<FileError>(data != MAP_FAILED, "cannot map {}: {}", path.string(), std::strerror(errno));
  mapped->data_ = static_cast<const std::byte*>(data);
  mapped->size_ = size;
  std::lock_guard lock(registry().mutex);
  registry().files[mapped->data_] = mapped.get();
  return mapped;
}

MappedFile::~MappedFile() {
  if (!data_) return;
  std::lock_guard lock(registry().mutex);
  registry().files.erase(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(std::span<const std::byte> part) const {
  if (part.empty() || part.data() < data_ || part.data() + part.size() > data_ + size_) return;
  // Only whole pages inside the part: its neighbours may still be in use.
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<uintptr_t>(part.data());
  const uintptr_t begin = (first + page - 1) / page * page;
  const uintptr_t end = (first + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void MappedFile::release_if_mapped(std::span<const std::byte> part) {
  std::lock_guard lock(registry().mutex);
  auto after = registry().files.upper_bound(part.data());
  if (after != registry().files.begin()) std::prev(after)->second->release(part);
}

MappedFile::Place MappedFile::place_of(std::span<const std::byte> part) {
  std::lock_guard lock(registry().mutex);
  auto after = registry().files.upper_bound(part.data());
  if (after == registry().files.begin()) return {};
  const MappedFile& file = *std::prev(after)->second;
  if (part.data() + part.size() > file.data_ + file.size_) return {};
  return {file.weak_from_this().lock(), static_cast<uint64_t>(part.data() - file.data_)};
}

int MappedFile::reopen() const {
  Descriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (file.fd < 0 || ::fstat(file.fd, &status) != 0) return -1;
  if (status.st_dev != device_ || status.st_ino != inode_) return -1;
  return std::exchange(file.fd, -1);
}

}  // namespace godwit
