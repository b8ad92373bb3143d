#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

namespace godwit {
namespace {

using Clock = std::chrono::steady_clock;
std::atomic<bool> silenced{false};

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

bool is_shown() { return !silenced && ::isatty(STDERR_FILENO); }

void wipe() {
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

}  // namespace

Activity::Activity(std::string what) : what_(std::move(what)) {
  if (!is_shown()) return;
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    for (int seconds = 0; !done_.wait_for(lock, std::chrono::seconds(1), [this] { return is_done_; });) {
      std::fprintf(stderr, "\r\x1b[K%s  %d s", what_.c_str(), ++seconds);
      std::fflush(stderr);
    }
    wipe();
  });
}

Activity::~Activity() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_done_ = true;
  }
  done_.notify_one();
  thread_.join();
}

Progress::Progress(std::string what, uint64_t total, std::string unit_name, uint64_t unit)
    : what_(std::move(what)),
      unit_name_(std::move(unit_name)),
      total_(total),
      unit_(std::max<uint64_t>(unit, 1)),
      is_shown_(is_shown()),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (is_drawn_) wipe();
}

void Progress::silence(bool silent) { silenced = silent; }

void Progress::add(uint64_t amount) {
  done_ += amount;
  if (!is_shown_) return;
  auto now = Clock::now();
  if (seconds_between(start_, now) < 1 || seconds_between(last_, now) < 0.1) return;
  last_ = now;
  is_drawn_ = true;
  std::string line = progress_line(what_, done_, total_, unit_name_, unit_, seconds_between(start_, now));
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
  std::fflush(stderr);
}

std::string progress_line(const std::string& what, uint64_t done, uint64_t total, const std::string& unit_name,
                          uint64_t unit, double seconds) {
  constexpr size_t width = 24;
  double part = total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  auto filled = static_cast<size_t>(part * width);
  std::string bar =
      std::string(filled, '=') + (filled < width ? ">" : "") + std::string(width - std::min(width, filled + 1), ' ');
  std::string line = fmt::format("{}  [{}] {:3.0f} %  {} of {}{}{}", what, bar, part * 100, done / unit, total / unit,
                                 unit_name.empty() ? "" : " ", unit_name);
  if (part > 0.02 && part < 1) line += fmt::format("  {:.0f} s left", seconds / part - seconds);
  return line;
}

}  // namespace godwit
