// godwit_onnx_backend FOLDER...: runs the cases in child processes, one JSON line each on stdout.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "onnx_backend/case.h"

namespace {

using godwit::onnx_backend::Outcome;

constexpr unsigned seconds_per_case = 120;

nlohmann::json run(const std::filesystem::path& folder) {
  static const char* names[] = {"passed", "failed", "refused"};
  nlohmann::json out;
  try {
    const Outcome outcome = run_case(godwit::onnx_backend::read_case(folder));
    out = {{"status", names[static_cast<int>(outcome.status)]},
           {"reason", outcome.reason},
           {"specialised", outcome.specialised},
           {"fallbacks", outcome.fallbacks}};
  } catch (const std::exception& e) {
    out = {{"status", "failed"}, {"reason", e.what()}};
  }
  return out;
}

// A child per case: a crash or a hang costs that case alone.
nlohmann::json isolated(const std::filesystem::path& folder) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return {{"status", "failed"}, {"reason", "no pipe"}};
  const pid_t child = fork();
  if (child == 0) {
    alarm(seconds_per_case);
    const std::string text = run(folder).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    size_t written = 0;
    while (written < text.size()) {
      const ssize_t n = write(pipe_ends[1], text.data() + written, text.size() - written);
      if (n <= 0) break;
      written += static_cast<size_t>(n);
    }
    _exit(0);
  }
  close(pipe_ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(pipe_ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    return {{"status", "failed"}, {"reason", "crash: signal " + std::to_string(WTERMSIG(status))}};
  return nlohmann::json::parse(text, nullptr, false);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::vector<std::filesystem::path> cases;
    if (std::filesystem::exists(std::filesystem::path(argv[i]) / "model.onnx"))
      cases.emplace_back(argv[i]);
    else
      for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
        if (std::filesystem::exists(entry.path() / "model.onnx")) cases.push_back(entry.path());
    std::sort(cases.begin(), cases.end());
    for (const auto& folder : cases) {
      const auto start = std::chrono::steady_clock::now();
      nlohmann::json line = isolated(folder);
      line["name"] = folder.filename().string();
      line["ms"] = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
      std::printf("%s\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
      std::fflush(stdout);
    }
  }
  return 0;
}
