#include "parity/process.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace godwit::parity {
namespace {

TEST(Process, AnswersLineByLine) {
  Process echo({"sh", "-c", "while read line; do echo '{\"ok\": true, \"n\": 3}'; done"});
  EXPECT_EQ(echo.ask({{"do", "run"}}, 10)["n"], 3);
  EXPECT_EQ(echo.ask({{"do", "run"}}, 10)["n"], 3);
}

std::string message_of(const std::string& script) {
  try {
    Process child({"sh", "-c", script});
    child.ask({{"do", "run"}}, 10);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Process, SaysWhatWentWrong) {
  EXPECT_NE(message_of("read line; echo oops >&2; exit 1").find("oops"), std::string::npos);
  EXPECT_NE(message_of("read line; echo hello").find("hello"), std::string::npos);
  EXPECT_NE(message_of("read line; echo '{\"ok\": false, \"error\": \"no input named z\"}'").find("no input named z"),
            std::string::npos);
  EXPECT_THROW(Process({"/does/not/exist"}).read(10), UsageError);
}

TEST(Process, SilenceIsAnError) {
  Process sleeper({"sh", "-c", "sleep 5"});
  EXPECT_THROW(sleeper.read(0.05), UsageError);
}

}  // namespace
}  // namespace godwit::parity
