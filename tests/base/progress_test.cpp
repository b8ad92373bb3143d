// What is shown where stderr is a terminal.
#include "base/progress.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

namespace godwit {
namespace {

// What `work` writes to stderr while that is a terminal.
template <class F>
std::string shown(const F& work) {
  int ours = -1, terminal = -1;
  EXPECT_EQ(::openpty(&ours, &terminal, nullptr, nullptr, nullptr), 0);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(terminal, STDERR_FILENO);
  work();
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  ::close(terminal);
  std::string text;
  char buffer[1024];
  for (ssize_t n; (n = ::read(ours, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  ::close(ours);
  return text;
}

void wait(int milliseconds) { ::usleep(static_cast<useconds_t>(milliseconds) * 1000); }

TEST(Progress, ShortWorkIsNotShown) {
  EXPECT_EQ(shown([] { const Activity activity("read model.onnx"); }).find("read"), std::string::npos);
}

TEST(Progress, LongWorkIsShownAndWiped) {
  const std::string text = shown([] {
    const Activity activity("read model.onnx");
    wait(1300);
  });
  EXPECT_NE(text.find("read model.onnx  1 s"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\r\x1b[K")) << text;
}

TEST(Progress, SilenceIsKept) {
  Progress::silence(true);
  EXPECT_EQ(shown([] {
              const Activity activity("read model.onnx");
              wait(1100);
            }),
            "");
  Progress::silence(false);
}

TEST(Progress, Bars) {
  EXPECT_EQ(progress_line("write", 500, 1000, "MB", 10, 2),
            "write  [============>           ]  50 %  50 of 100 MB  2 s left");
  EXPECT_EQ(progress_line("write", 0, 0, "", 1, 2), "write  [========================] 100 %  0 of 0");
}

}  // namespace
}  // namespace godwit
