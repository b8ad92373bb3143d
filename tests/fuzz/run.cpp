// fuzz_readers: seeded mutations of valid files through one reader.
//
//   fuzz_readers TARGET [--count N] [--seed S] [--only INDEX] [--save FILE] [--all]
//   fuzz_readers TARGET --samples FOLDER    writes the samples as libFuzzer takes them (libfuzzer.cpp)
//   fuzz_readers --list
//
// A crash, a sanitizer's finding, an error that is ours, more than 5 seconds or more than the memory limit for one
// mutation ends it with the seed and the mutation; `--only INDEX --save FILE` makes that one again. With --all errors
// that are ours are listed, each message once, and only then the run fails.
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <cctype>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <stdexcept>

#include "base/error.h"
#include "base/memory.h"
#include "mutate.h"
#include "targets.h"

namespace {

using namespace godwit;

constexpr int kSeconds = 5;
constexpr size_t kMegabytes = 300;  // that one mutation of a small file may take beside what was there before

struct Options {
  std::string target, save, samples;
  uint32_t count = 20'000, seed = 1;
  int64_t only = -1;
  bool all = false;
};

struct Current {
  const char* target = "";
  uint32_t seed = 0, index = 0;
} current;

// Only what is safe in a signal handler.
void print_current() {
  char line[200];
  const int n = std::snprintf(line, sizeof line, "fuzz_readers: target %s, seed %u, mutation %u\n", current.target,
                              current.seed, current.index);
  if (::write(STDERR_FILENO, line, static_cast<size_t>(n)) < 0) return;
}

void on_timeout(int) {
  static constexpr char text[] = "fuzz_readers: one mutation took more than 5 seconds\n";
  if (::write(STDERR_FILENO, text, sizeof text - 1) < 0) std::abort();
  print_current();
  std::abort();
}

void allow(int seconds) {
  const itimerval timer{{0, 0}, {seconds, 0}};
  ::setitimer(ITIMER_PROF, &timer, nullptr);  // time of the processor: a busy machine is no fault
}

std::set<std::string> faults;  // listed, with --all

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "fuzz_readers: %s\n", why.c_str());
  print_current();
  std::exit(1);
}

void note_fault(const std::string& why) {
  std::string kind = why;  // without the numbers that make each message its own
  std::erase_if(kind, [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!faults.insert(kind).second) return;
  std::fprintf(stderr, "fuzz_readers: %s\n", why.c_str());
  print_current();
}

// Why the file was refused; empty when it was read.
std::string refusal(const fuzz::Sample& sample, const std::string& bytes, bool goes_on = false) {
  allow(kSeconds);
  try {
    sample.read(bytes);
    return "";
  } catch (const FileError& error) {
    return error.what();
  } catch (const UsageError& error) {
    return error.what();
  } catch (const std::exception& error) {
    if (!goes_on) fail(error.what());
    note_fault(error.what());
    return error.what();
  }
}

int write_samples(const std::vector<fuzz::Sample>& samples, const std::string& folder) {
  for (size_t i = 0; i < samples.size() && i < 256; ++i)
    std::ofstream(folder + "/sample" + std::to_string(i), std::ios::binary) << static_cast<char>(i) << samples[i].bytes;
  return 0;
}

int run(const fuzz::Target& target, const Options& options) {
  const std::vector<fuzz::Sample> samples = target.samples();
  if (samples.empty()) fail("no samples");
  if (!options.samples.empty()) return write_samples(samples, options.samples);
  current = {target.name, options.seed, 0};
  for (const fuzz::Sample& sample : samples)
    if (const std::string why = refusal(sample, sample.bytes); !why.empty())
      fail("a sample that is not damaged was refused: " + why);
  uint32_t refused = 0;
  const size_t before = resident_memory_bytes();
  reset_peak_memory();
  const auto first = static_cast<uint32_t>(options.only < 0 ? 0 : options.only);
  const uint32_t last = options.only < 0 ? options.count : first + 1;
  for (uint32_t i = first; i < last; ++i) {
    current.index = i;
    const fuzz::Sample& sample = samples[i % samples.size()];
    const std::string bytes = fuzz::mutated(sample.bytes, options.seed, i);
    if (!options.save.empty()) std::ofstream(options.save, std::ios::binary) << bytes;
    const std::string why = refusal(sample, bytes, options.all);
    refused += !why.empty();
    if (options.only >= 0) std::printf("%s\n", why.empty() ? "read" : why.c_str());
  }
  allow(0);
  const size_t peak = peak_memory_bytes();
  std::printf("%s: %u mutations of %zu samples (seed %u): %u refused, peak memory %zu MB above the start\n",
              target.name, last - first, samples.size(), options.seed, refused,
              peak > before ? (peak - before) >> 20 : 0);
  if (!faults.empty()) return 1;
  // Damage that a reader never sees is no test of it.
  if (options.only < 0 && refused < options.count / 20) fail("hardly anything was refused");
  return 0;
}

}  // namespace

// Sanitizers read these where they are linked in.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=512:hard_rss_limit_mb=2048:allocator_may_return_null=0:detect_leaks=1";
}
extern "C" __attribute__((visibility("default"))) const char* __ubsan_default_options();
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }
extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

int main(int argc, char** argv) {
  Options options;
  bool list = false;
  for (int i = 1; i < argc; ++i) {
    auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (!std::strcmp(argv[i], "--list"))
      list = true;
    else if (!std::strcmp(argv[i], "--all"))
      options.all = true;
    else if (!std::strcmp(argv[i], "--count"))
      options.count = static_cast<uint32_t>(std::strtoul(value(), nullptr, 10));
    else if (!std::strcmp(argv[i], "--seed"))
      options.seed = static_cast<uint32_t>(std::strtoul(value(), nullptr, 10));
    else if (!std::strcmp(argv[i], "--only"))
      options.only = std::strtoll(value(), nullptr, 10);
    else if (!std::strcmp(argv[i], "--samples"))
      options.samples = value();
    else if (!std::strcmp(argv[i], "--save"))
      options.save = value();
    else
      options.target = argv[i];
  }
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(print_current);
  std::signal(SIGPROF, on_timeout);
  for (const fuzz::Target& target : fuzz::targets()) {
    if (list) std::printf("%s\n", target.name);
    if (!list && options.target == target.name) return run(target, options);
  }
  if (!list) std::fprintf(stderr, "fuzz_readers: no target %s (--list)\n", options.target.c_str());
  return list ? 0 : 2;
}
