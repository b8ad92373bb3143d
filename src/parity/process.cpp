#include "parity/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.h"

extern char** environ;

namespace godwit::parity {
namespace {

constexpr size_t kLongestLine = 64 << 20;
constexpr size_t kLastWords = 600;

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    require<InternalError>(pipe2(ends, O_CLOEXEC) == 0, "pipe: {}", std::strerror(errno));
    read_end = ends[0];
    write_end = ends[1];
  }
};

}  // namespace

std::filesystem::path temporary_path(const std::string& suffix) {
  static std::atomic<int> next{0};
  return std::filesystem::temp_directory_path() / fmt::format("godwit-{}-{}{}", getpid(), next++, suffix);
}

Process::Process(const std::vector<std::string>& command, std::string what)
    : program_(command.at(0)), what_(std::move(what)), errors_(temporary_path(".stderr")) {
  signal(SIGPIPE, SIG_IGN);  // a child that ended is reported by write()
  Pipe in, out;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read_end, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end, 1);
  posix_spawn_file_actions_addopen(&actions, 2, errors_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int failed = posix_spawnp(&pid_, program_.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in.read_end);
  close(out.write_end);
  to_child_ = in.write_end;
  from_child_ = out.read_end;
  if (failed) {
    pid_ = -1;
    close(to_child_);
    close(from_child_);
    raise<UsageError>("cannot start {}: {}", program_, std::strerror(failed));
  }
}

Process::~Process() {
  static constexpr std::string_view quit = "{\"do\": \"quit\"}\n";
  [[maybe_unused]] ssize_t sent = write(to_child_, quit.data(), quit.size());
  close(to_child_);
  close(from_child_);
  for (int i = 0; i < 100 && waitpid(pid_, nullptr, WNOHANG) == 0; ++i) {
    if (i == 50) kill(pid_, SIGTERM);
    if (i == 99) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    usleep(20'000);
  }
  std::error_code ignored;
  std::filesystem::remove(errors_, ignored);
}

void Process::write_line(const std::string& line) {
  size_t done = 0;
  while (done < line.size()) {
    ssize_t n = write(to_child_, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) raise<UsageError>("{} ended early: {}", program_, last_words());
    done += static_cast<size_t>(n);
  }
}

std::string Process::read_line(double seconds) {
  while (true) {
    if (size_t end = pending_.find('\n'); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    require<UsageError>(pending_.size() < kLongestLine, "{} answers without end", program_);
    pollfd waiting{from_child_, POLLIN, 0};
    int ready = poll(&waiting, 1, static_cast<int>(seconds * 1e3));
    if (ready < 0 && errno == EINTR) continue;
    require<UsageError>(ready > 0, "{} gave no answer in {} s", program_, seconds);
    char buffer[65536];
    ssize_t n = ::read(from_child_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) raise<UsageError>("{} ended early: {}", program_, last_words());
    pending_.append(buffer, static_cast<size_t>(n));
  }
}

std::string Process::last_words() const {
  std::ifstream file(errors_);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.empty()) return "it said nothing";
  return text.size() > kLastWords ? "..." + text.substr(text.size() - kLastWords) : text;
}

nlohmann::json Process::read(double seconds) {
  std::string line = read_line(seconds);
  nlohmann::json answer = nlohmann::json::parse(line, nullptr, false);
  require<UsageError>(answer.is_object(), "{} answers with \"{}\"", program_, line.substr(0, 200));
  if (!answer.value("ok", false)) raise<UsageError>("{}: {}", what_, answer.value("error", "failed"));
  return answer;
}

nlohmann::json Process::ask(const nlohmann::json& request, double seconds) {
  write_line(request.dump() + "\n");
  return read(seconds);
}

}  // namespace godwit::parity
