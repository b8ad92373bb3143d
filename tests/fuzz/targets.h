// What reads files that nobody vouches for, each with valid samples to start from.
//
// A target answers any bytes with success, FileError or UsageError; everything else is a bug of ours. Two programs
// share them: fuzz_readers (seeded mutations, part of the tests) and one libFuzzer program for each (the preset
// `fuzz`).
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace godwit::fuzz {

// The bytes that are damaged, and how they are read: for a program inside an archive, packed again first.
struct Sample {
  std::string bytes;
  std::function<void(const std::string& bytes)> read;
};

struct Target {
  const char* name;
  std::vector<Sample> (*samples)();
};

std::vector<Target> targets();

// The families; each is one file.
std::vector<Target> format_targets();
std::vector<Target> torch_targets();
std::vector<Target> import_targets();

std::string content(const std::string& path);  // a file below tests/data
// The samples with one way to read.
std::vector<Sample> samples_of(std::vector<std::string> files, std::function<void(const std::string&)> read);

}  // namespace godwit::fuzz
