#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>

namespace godwit {
namespace {

TEST(ThreadPool, CoversEveryElementOnce) {
  ThreadPool pool(4);
  for (int round = 0; round < 200; ++round)
    for (int64_t count : {0, 1, 7, 1000}) {
      std::vector<int> seen(static_cast<size_t>(count));
      pool.parallel_for(count, 3, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) ++seen[static_cast<size_t>(i)];
      });
      for (int n : seen) ASSERT_EQ(n, 1);
    }
}

TEST(ThreadPool, SeveralCallersShareIt) {
  ThreadPool pool(3);
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      const ThreadPool::Client client(pool);
      for (int round = 0; round < 500; ++round)
        pool.parallel_for(100, 1, [&](int64_t first, int64_t last) { total += last - first; });
    });
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(total, 4 * 500 * 100);
}

TEST(ThreadPool, WakesSleepers) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int64_t> total{0};
    pool.parallel_for(64, 1, [&](int64_t first, int64_t last) { total += last - first; });
    EXPECT_EQ(total, 64);
  }
}

}  // namespace
}  // namespace godwit
