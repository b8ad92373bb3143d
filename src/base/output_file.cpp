#include "base/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace godwit {

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail();
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

void OutputFile::fail() const { raise<UsageError>("cannot write {}: {}", path_.string(), std::strerror(errno)); }

void OutputFile::write(std::span<const std::byte> bytes) {
  constexpr size_t at_once = size_t{1} << 30;
  while (!bytes.empty()) {
    ssize_t written = ::write(fd_, bytes.data(), std::min(bytes.size(), at_once));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail();
    position_ += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

size_t OutputFile::copy([[maybe_unused]] int from, [[maybe_unused]] uint64_t offset, [[maybe_unused]] size_t count) {
  size_t done = 0;
#ifdef __linux__
  auto at = static_cast<off64_t>(offset);
  while (done < count) {
    const ssize_t copied = ::copy_file_range(from, &at, fd_, nullptr, count - done, 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied <= 0) break;  // another file system, or a full disk, which the next write tells
    done += static_cast<size_t>(copied);
  }
  position_ += done;
#endif
  return done;
}

void OutputFile::close() {
  int fd = fd_;
  fd_ = -1;
  if (fd >= 0 && ::close(fd) != 0) fail();
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  OutputFile file(path);
  file.write(text);
  file.close();
}

}  // namespace godwit
