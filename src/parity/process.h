// A child process that answers requests, one JSON object a line each way: the reference side of a comparison.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace godwit::parity {

class Process {
 public:
  // Starts the program found through PATH; `what` is what messages call it. Throws UsageError when it cannot be
  // started.
  explicit Process(const std::vector<std::string>& command, std::string what = "reference");
  ~Process();  // asks it to quit, then ends it
  Process(const Process&) = delete;

  // Throws UsageError with the child's last words when it ends, stays silent for `seconds`, or answers no JSON.
  nlohmann::json read(double seconds);
  nlohmann::json ask(const nlohmann::json& request, double seconds = 600);

 private:
  void write_line(const std::string& line);
  std::string read_line(double seconds);
  std::string last_words() const;

  int pid_ = -1;
  int to_child_ = -1, from_child_ = -1;
  std::string program_, what_, pending_;
  std::filesystem::path errors_;  // the child's stderr
};

// A file name that nobody else uses, in the system's folder for such files.
std::filesystem::path temporary_path(const std::string& suffix);

}  // namespace godwit::parity
