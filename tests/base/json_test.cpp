#include "base/json.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"

namespace godwit {
namespace {

TEST(Json, KeepsWholeIntegers) {
  EXPECT_EQ(json_int(parse_json("9223372036854775807", "t"), "t"), INT64_MAX);
  EXPECT_EQ(json_int(parse_json("-9223372036854775808", "t"), "t"), INT64_MIN);
  EXPECT_THROW(json_int(parse_json("9223372036854775808", "t"), "t"), FileError);
  EXPECT_THROW(json_int(parse_json("1.0", "t"), "t"), FileError);
}

TEST(Json, RefusesDepthDuplicatesAndDamage) {
  EXPECT_NO_THROW(parse_json(std::string(60, '[') + std::string(60, ']'), "t"));
  EXPECT_THROW(parse_json(std::string(100000, '['), "t"), FileError);
  EXPECT_THROW(parse_json(R"({"a": 1, "a": 2})", "t"), FileError);
  EXPECT_NO_THROW(parse_json(R"({"a": {"a": 2}, "b": {"a": 3}})", "t"));
  EXPECT_THROW(parse_json("{\"a\": \"\xff\"}", "t"), FileError);
  EXPECT_THROW(json_member(parse_json("[]", "t"), "a", "t"), FileError);
}

TEST(Progress, LineTellsPartAndTimeLeft) {
  EXPECT_EQ(progress_line("convert", 5'000'000, 10'000'000, "MB", 1'000'000, 3),
            "convert  [============>           ]  50 %  5 of 10 MB  3 s left");
  EXPECT_EQ(progress_line("run", 3, 3, "", 1, 3), "run  [========================] 100 %  3 of 3");
}

TEST(Memory, SeesWhatIsTaken) {
  const size_t before = resident_memory_bytes();
  std::vector<char> taken(64 << 20, 'x');
  EXPECT_GE(peak_memory_bytes(), before + (60 << 20)) << taken.back();
}

}  // namespace
}  // namespace godwit
