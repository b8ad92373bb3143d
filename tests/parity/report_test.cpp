#include "parity/report.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "parity/plot.h"
#include "parity/process.h"

namespace godwit::parity {
namespace {

Report sample() {
  Report report;
  report.model = "net<1>";
  report.facts["nodes"] = "12";
  ValidateResult v;
  v.reference = "onnxruntime 1.0";
  v.tolerance_why = "float32";
  v.max_error = 0.5;
  v.outputs.push_back(compare("y", Tensor::scalar(DType::f32, 1.5), Tensor::scalar(DType::f32, 1.0), {}));
  v.layers = {{"a", "add", "", 1e-8, 1e-8, true, ""}, {"b", "conv", "m.py:3", 0.5, 0.5, false, "off"}};
  v.first_divergence = v.layers[1];
  report.validation = v;
  BenchResult b;
  b.series_ms = {1, 2, 3};
  b.latency = summarize(b.series_ms);
  b.against = BenchResult::Against{"onnxruntime", "1.0", summarize({4, 4, 4}), {4, 4, 4}, 1 << 20, 2.0};
  report.measurement = b;
  return report;
}

TEST(Report, JsonHoldsWhatScriptsRelyOn) {
  nlohmann::json json = to_json(sample());
  const auto& v = json["validate"];
  EXPECT_EQ(v["status"], "failed");
  EXPECT_DOUBLE_EQ(v["max_error"], 0.5);
  EXPECT_EQ(v["outputs"][0]["name"], "y");
  for (const char* key : {"max_abs", "max_rel", "cosine"}) EXPECT_TRUE(v["outputs"][0].contains(key)) << key;
  EXPECT_EQ(v["first_divergence"]["name"], "b");
  const auto& b = json["bench"];
  EXPECT_DOUBLE_EQ(b["median_ms"], 2);
  for (const char* key : {"p99_ms", "peak_memory_bytes", "threads"}) EXPECT_TRUE(b.contains(key)) << key;
  EXPECT_DOUBLE_EQ(b["against"]["ratio"], 2.0);
  EXPECT_EQ(b["against"]["version"], "1.0");
}

TEST(Report, InfiniteErrorsSurviveAsNumbers) {
  Report report = sample();
  report.validation->max_error = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(nlohmann::json::parse(to_json(report).dump())["validate"]["max_error"].is_number());
}

TEST(Report, HtmlIsOnePageWithPlotsAndEscapedNames) {
  std::string html = to_html(sample());
  EXPECT_NE(html.find("net&lt;1&gt;"), std::string::npos);
  EXPECT_EQ(html.find("net<1>"), std::string::npos);
  EXPECT_NE(html.find("Error growth"), std::string::npos);
  EXPECT_NE(html.find("Latency, run by run"), std::string::npos);
  for (const char* outside : {"<script", "src=", "href="}) EXPECT_EQ(html.find(outside), std::string::npos);
}

TEST(Report, MarkdownNamesTheFirstDivergence) {
  std::string text = to_markdown(sample());
  EXPECT_NE(text.find("first node over tolerance: b (conv, m.py:3)"), std::string::npos);
  EXPECT_NE(text.find("| y | [] | float32 |"), std::string::npos);
}

TEST(Report, TheExtensionPicksTheKind) {
  for (const char* extension : {".json", ".md", ".html"}) {
    std::filesystem::path path = temporary_path(extension);
    write_report(path, sample());
    EXPECT_GT(std::filesystem::file_size(path), 200u);
    std::filesystem::remove(path);
  }
  EXPECT_THROW(write_report("report.pdf", sample()), UsageError);
  EXPECT_THROW(write_report("/does/not/exist/report.md", sample()), FileError);
}

TEST(Plot, LeavesOutWhatIsNotFinite) {
  Plot plot{.title = "t", .x_label = "x", .y_label = "y", .log_y = true};
  plot.series.push_back({"s", {0, 1, 2}, {1e-7, std::numeric_limits<double>::infinity(), 0}});
  std::string svg = to_svg(plot);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(to_svg(Plot{.title = "empty"}).find("nan"), std::string::npos);
}

}  // namespace
}  // namespace godwit::parity
