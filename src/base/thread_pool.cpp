#include "base/thread_pool.h"

#include <chrono>
#include <cstdlib>
#include <memory>

namespace godwit {
namespace {

constexpr int spins_before_sleep = 4000;  // tens of microseconds

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

int default_threads() {
  if (const char* given = std::getenv("GODWIT_THREADS"))
    if (int n = std::atoi(given); n > 0) return n;
  return std::max(1u, std::thread::hardware_concurrency());
}

std::unique_ptr<ThreadPool>& shared_pool() {
  static auto pool = std::make_unique<ThreadPool>(default_threads());
  return pool;
}

}  // namespace

ThreadPool& ThreadPool::shared() { return *shared_pool(); }
void ThreadPool::set_threads(int threads) { shared_pool() = std::make_unique<ThreadPool>(threads); }

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(sleep_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& t : workers_) t.join();
}

void ThreadPool::take_parts() {
  for (int64_t part; (part = next_.fetch_add(1)) < parts_;) call_(task_, part, parts_, count_);
}

// A job is open while its number is odd. A worker that comes late announces itself first and looks then; the caller
// closes first and looks then: so nobody reads the fields of a job while they change, and nobody waits for sleepers.
void ThreadPool::run(int64_t parts, Part call, void* task, int64_t count) {
  std::unique_lock one(caller_, std::try_to_lock);
  if (!one) {  // the pool is taken
    call(task, 0, 1, count);
    return;
  }
  call_ = call, task_ = task, parts_ = parts, count_ = count;
  next_.store(0);
  job_.fetch_add(1);
  if (sleepers_.load() > 0) {
    std::lock_guard lock(sleep_);
    wake_.notify_all();
  }
  take_parts();
  job_.fetch_add(1);
  while (inside_.load() > 0) pause();
}

void ThreadPool::work() {
  uint64_t seen = 0;
  auto open = [&] { return job_.load() != seen && job_.load() % 2 == 1; };
  for (;;) {
    for (int spin = 0; !open() && !stop_ && spin < spins_before_sleep; ++spin) pause();
    if (!open()) {
      std::unique_lock lock(sleep_);
      sleepers_.fetch_add(1);
      wake_.wait(lock, [&] { return open() || stop_; });
      sleepers_.fetch_sub(1);
    }
    if (stop_) return;
    inside_.fetch_add(1);
    const uint64_t job = job_.load();
    if (job % 2 == 1) {
      seen = job;
      take_parts();
    }
    inside_.fetch_sub(1);
  }
}

}  // namespace godwit
