#include "base/atomic_output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace godwit {
namespace fs = std::filesystem;
namespace {

constexpr const char* marker = ".godwit-partial-";

std::string partial_prefix(const fs::path& target) { return "." + target.filename().string() + marker; }

// Removes partial outputs of the same target whose writer is gone: nobody holds their lock.
void remove_stale(const fs::path& target) {
  std::error_code error;
  const std::string prefix = partial_prefix(target);
  for (const auto& entry : fs::directory_iterator(target.parent_path(), error)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) continue;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), error);
    ::close(fd);
  }
}

// Swaps two paths in one step; false where the system cannot.
bool exchange(const fs::path& a, const fs::path& b) {
#if defined(RENAME_EXCHANGE)
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#elif defined(RENAME_SWAP)
  return ::renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0;
#else
  (void)a, (void)b;
  return false;
#endif
}

}  // namespace

AtomicOutput::AtomicOutput(fs::path target, Kind kind) : target_(std::move(target)) {
  if (!target_.has_filename()) target_ = target_.parent_path();  // "out/" means "out"
  const std::string leaf = target_.filename().string();
  require<UsageError>(!leaf.empty() && leaf != "." && leaf != "..", "'{}' is no place for an output", target_.string());
  target_ = fs::absolute(target_);
  std::error_code error;
  fs::create_directories(target_.parent_path(), error);
  require<UsageError>(!error, "cannot write {}: {}", target_.string(), error.message());
  remove_stale(target_);
  create(kind);
}

void AtomicOutput::create(Kind kind) {
  static int count = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    partial_ = target_.parent_path() / fmt::format("{}{}-{}", partial_prefix(target_), ::getpid(), count++);
    int made = kind == Kind::folder ? ::mkdir(partial_.c_str(), 0777)
                                    : ::open(partial_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (made < 0 && errno == EEXIST) continue;
    require<UsageError>(made >= 0, "cannot write {}: {}", target_.string(), std::strerror(errno));
    if (kind == Kind::file) ::close(made);
    lock_ = ::open(partial_.c_str(), O_RDONLY | O_CLOEXEC);
    // Another process may have taken it for a stale one before it was locked: then there is nothing left here.
    struct stat held {
    }, found{};
    if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) == 0 && ::fstat(lock_, &held) == 0 &&
        ::stat(partial_.c_str(), &found) == 0 && held.st_ino == found.st_ino)
      return;
    if (lock_ >= 0) ::close(lock_);
    lock_ = -1;
  }
  raise<UsageError>("cannot write {}: no free name for a partial output", target_.string());
}

AtomicOutput::~AtomicOutput() {
  std::error_code error;
  if (!partial_.empty()) fs::remove_all(partial_, error);
  if (lock_ >= 0) ::close(lock_);
}

void AtomicOutput::commit() {
  std::error_code error;
  fs::rename(partial_, target_, error);
  if (!error) {
    partial_.clear();
    return;
  }
  // A folder that is not empty cannot be renamed over: the two change places, then the old one goes.
  if (fs::is_directory(target_)) {
    if (exchange(partial_, target_)) {
      std::error_code ignored;
      fs::remove_all(partial_, ignored);
      partial_.clear();
      return;
    }
    fs::path old = partial_;
    old += "-replaced";
    std::error_code failed;
    fs::rename(target_, old, failed);
    if (!failed) fs::rename(partial_, target_, failed);
    if (!failed) {
      partial_.clear();
      fs::remove_all(old, failed);
      return;
    }
    std::error_code back;
    if (!fs::exists(target_)) fs::rename(old, target_, back);
  }
  raise<UsageError>("cannot write {}: {}", target_.string(), error.message());
}

}  // namespace godwit
