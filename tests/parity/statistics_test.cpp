#include "parity/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace godwit::parity {
namespace {

TEST(Statistics, OfAKnownSeries) {
  Latency s = summarize({4, 1, 3, 2, 5});
  EXPECT_EQ(s.runs, 5);
  EXPECT_DOUBLE_EQ(s.median_ms, 3);
  EXPECT_DOUBLE_EQ(s.mean_ms, 3);
  EXPECT_DOUBLE_EQ(s.deviation_ms, std::sqrt(2.5));
  EXPECT_DOUBLE_EQ(s.min_ms, 1);
  EXPECT_DOUBLE_EQ(s.max_ms, 5);
  EXPECT_DOUBLE_EQ(s.p95_ms, 4.8);
}

TEST(Statistics, OneMeasurement) {
  Latency s = summarize({7});
  EXPECT_DOUBLE_EQ(s.p99_ms, 7);
  EXPECT_DOUBLE_EQ(s.deviation_ms, 0);
  EXPECT_THROW(summarize({}), InternalError);
}

}  // namespace
}  // namespace godwit::parity
