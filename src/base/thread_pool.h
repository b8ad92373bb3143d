// Threads that share out one job at a time: they spin for a moment after a job, because the next kernel call follows at
// once, and then sleep.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace godwit {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // the caller counts as one
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls task(first, last) over disjoint parts of [0, count), each of `grain` or more where count allows it, and
  // returns when all are done. Runs on the calling thread alone where the work is one part, or where other callers are
  // inside the pool: they then have a thread each.
  template <class Task>
  void parallel_for(int64_t count, int64_t grain, Task&& task) {
    if (count <= 0) return;
    const int64_t parts = std::min<int64_t>((count + grain - 1) / std::max<int64_t>(grain, 1), threads() * 4);
    if (parts <= 1 || workers_.empty() || clients_.load(std::memory_order_relaxed) > 1) {
      task(int64_t{0}, count);
      return;
    }
    run(
        parts,
        [](void* t, int64_t part, int64_t all, int64_t n) {
          (*static_cast<std::remove_reference_t<Task>*>(t))(part * n / all, (part + 1) * n / all);
        },
        &task, count);
  }

  // Marks a caller that issues many jobs, while it lives.
  class Client {
   public:
    explicit Client(ThreadPool& pool) : pool_(pool) { pool_.clients_.fetch_add(1); }
    ~Client() { pool_.clients_.fetch_sub(1); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

   private:
    ThreadPool& pool_;
  };

  // The process's pool: GODWIT_THREADS, else one thread a core. set_threads() replaces it; nobody may be inside.
  static ThreadPool& shared();
  static void set_threads(int threads);

 private:
  using Part = void (*)(void* task, int64_t part, int64_t parts, int64_t count);
  void run(int64_t parts, Part call, void* task, int64_t count);
  void work();
  void take_parts();

  std::vector<std::thread> workers_;
  std::mutex caller_, sleep_;
  std::condition_variable wake_;
  std::atomic<uint64_t> job_{0};    // odd while a job is open
  std::atomic<int64_t> next_{0};    // its next part
  std::atomic<int64_t> inside_{0};  // workers that may touch it
  std::atomic<int> sleepers_{0}, clients_{0};
  std::atomic<bool> stop_{false};
  Part call_ = nullptr;
  void* task_ = nullptr;
  int64_t parts_ = 0, count_ = 0;
};

}  // namespace godwit
