#include "ir/fresh.h"

#include <gtest/gtest.h>

#include "ops/infer.h"

namespace godwit::ir {
namespace {

TEST(FreshSymbols, NeverMeetThoseOfATextThatWasRead) {
  const int64_t next = std::stoll(fresh_symbol('u').str().substr(1)) + 1;
  const std::string read = "u" + std::to_string(next + 3);
  Dim::parse("2*" + read + " + 1");
  for (int i = 0; i < 10; ++i) EXPECT_NE(fresh_symbol('u').str(), read);
}

TEST(FreshSymbols, NamesThatOnlyLookAlikeDoNotCount) {
  const int64_t before = std::stoll(fresh_symbol('u').str().substr(1));
  for (const char* name : {"u99999999999999999999", "user7", "s9000000", "u_9000000"}) Dim::symbol(name);
  EXPECT_LT(std::stoll(ops::InferContext::fresh().str().substr(1)), before + 10);
}

}  // namespace
}  // namespace godwit::ir
