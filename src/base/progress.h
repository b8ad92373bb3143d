// Progress on stderr for work of more than a second. Says nothing when stderr is no terminal.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace godwit {

class Progress {
 public:
  // Amounts are shown divided by it and followed by its name: {"MB", 1000000}.
  Progress(std::string what, uint64_t total, std::string unit_name = "", uint64_t unit = 1);
  ~Progress();  // wipes the line
  Progress(const Progress&) = delete;

  void add(uint64_t amount);

  static void silence(bool silent);  // for --quiet and --json

 private:
  std::string what_, unit_name_;
  uint64_t total_, unit_, done_ = 0;
  bool is_shown_, is_drawn_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

// The same for work whose length nobody knows: what is done and for how long, from the first second on.
class Activity {
 public:
  explicit Activity(std::string what);
  ~Activity();  // wipes the line
  Activity(const Activity&) = delete;

 private:
  std::string what_;
  std::mutex mutex_;
  std::condition_variable done_;
  bool is_done_ = false;
  std::thread thread_;  // none where nothing is shown
};

// The bar itself: "convert  [=====>    ]  52 %  520 of 1000 MB  3 s left".
std::string progress_line(const std::string& what, uint64_t done, uint64_t total, const std::string& unit_name,
                          uint64_t unit, double seconds);

}  // namespace godwit
