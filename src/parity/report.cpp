#include "parity/report.h"

#include <fstream>

#include "base/error.h"
#include "parity/plot.h"

namespace godwit::parity {
namespace {

constexpr double kMegabyte = 1 << 20;

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string escape(const std::string& text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

// Both texts are made of the same rows: a header, then lines.
using Rows = std::vector<std::vector<std::string>>;

Rows output_rows(const ValidateResult& v) {
  Rows rows = {{"output", "shape", "dtype", "max abs", "error / scale", "cosine", "SNR dB", "verdict"}};
  for (const Comparison& c : v.outputs) {
    rows.push_back({c.name, shape_text(c.reference_shape), std::string(long_name(c.reference_dtype)),
                    fmt::format("{:.3g}", c.max_abs), fmt::format("{:.3g}", c.scaled_error()),
                    fmt::format("{:.9f}", c.cosine), fmt::format("{:.1f}", c.snr_db),
                    c.passed ? "passed" : "FAILED: " + c.reason});
  }
  return rows;
}

std::vector<std::string> latency_row(const std::string& name, const Latency& s, int64_t memory) {
  auto ms = [](double v) { return fmt::format("{:.3f}", v); };
  return {name,
          ms(s.median_ms),
          ms(s.min_ms),
          ms(s.p95_ms),
          ms(s.p99_ms),
          ms(s.deviation_ms),
          fmt::format("{:.0f}", static_cast<double>(memory) / kMegabyte)};
}

Rows latency_rows(const BenchResult& b) {
  Rows rows = {{"side", "median ms", "min", "p95", "p99", "std", "peak memory MB"}};
  rows.push_back(latency_row("godwit", b.latency, b.peak_memory_bytes));
  if (b.against) {
    rows.push_back(
        latency_row(b.against->name + " " + b.against->version, b.against->latency, b.against->peak_memory_bytes));
  }
  return rows;
}

std::string verdict(const ValidateResult& v) {
  std::string text =
      fmt::format("{}: largest error {:.3g} of the output's scale, tolerance {:.3g} ({}), against {}",
                  v.passed ? "passed" : "FAILED", v.max_error, v.tolerance.scaled, v.tolerance_why, v.reference);
  if (v.first_divergence) {
    text += fmt::format(
        "; first node over tolerance: {} ({}{}), {:.3g}", v.first_divergence->name, v.first_divergence->op,
        v.first_divergence->place.empty() ? "" : ", " + v.first_divergence->place, v.first_divergence->scaled_error);
  }
  return text;
}

std::string speed(const BenchResult& b) {
  std::string text = fmt::format("{} runs, {} thread{}", b.latency.runs, b.threads, b.threads == 1 ? "" : "s");
  if (b.against)
    text += fmt::format(", in turn with {}; its median is {:.2f} of ours", b.against->name, b.against->ratio);
  return text;
}

std::string markdown_table(const Rows& rows) {
  std::string out;
  for (size_t i = 0; i < rows.size(); ++i) {
    out += fmt::format("| {} |\n", fmt::join(rows[i], " | "));
    if (i == 0) {
      for (size_t column = 0; column < rows[0].size(); ++column) out += "|---";
      out += "|\n";
    }
  }
  return out + "\n";
}

std::string html_table(const Rows& rows) {
  std::string out = "<table>\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    const char* tag = i == 0 ? "th" : "td";
    out += "<tr>";
    for (const std::string& cell : rows[i]) out += fmt::format("<{0}>{1}</{0}>", tag, escape(cell));
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

std::string growth_plot(const ValidateResult& v) {
  Plot plot{.title = "Error growth over the nodes", .x_label = "node", .y_label = "error / scale", .log_y = true};
  Series series{.name = "largest error of a node"};
  for (size_t i = 0; i < v.layers.size(); ++i) {
    series.x.push_back(static_cast<double>(i));
    series.y.push_back(v.layers[i].scaled_error);
  }
  plot.series.push_back(std::move(series));
  plot.threshold = v.tolerance.scaled;
  return to_svg(plot);
}

std::string latency_plot(const BenchResult& b) {
  Plot plot{.title = "Latency, run by run", .x_label = "run", .y_label = "ms"};
  auto add = [&](const std::string& name, const std::vector<double>& ms) {
    Series series{.name = name, .x = {}, .y = ms};
    for (size_t i = 0; i < ms.size(); ++i) series.x.push_back(static_cast<double>(i));
    plot.series.push_back(std::move(series));
  };
  add("godwit", b.series_ms);
  if (b.against) add(b.against->name, b.against->series_ms);
  return to_svg(plot);
}

std::string layer_error_plot(const QuantizationReport& q) {
  Plot plot{.title = "Error of each layer's output", .x_label = "layer", .y_label = "rms error / rms", .log_y = true};
  Series series{.name = "on float input"};
  for (size_t i = 0; i < q.layers.size(); ++i) {
    if (!q.layers[i].output_error) continue;
    series.x.push_back(static_cast<double>(i));
    series.y.push_back(q.layers[i].output_error->rms);
  }
  plot.series.push_back(std::move(series));
  return to_svg(plot);
}

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #ccc;padding:.2rem .6rem;text-align:left}"
    "th{background:#f3f3f3}svg{max-width:100%;height:auto}";

}  // namespace

nlohmann::json to_json(const Report& report) {
  nlohmann::json json = {{"model", report.model}, {"facts", report.facts}};
  if (report.validation) json["validate"] = to_json(*report.validation);
  if (report.measurement) json["bench"] = to_json(*report.measurement);
  if (report.quantization) json["quantization"] = to_json(*report.quantization);
  return json;
}

std::string to_markdown(const Report& report) {
  std::string out = fmt::format("# {}\n\n", report.model);
  for (const auto& [name, value] : report.facts) out += fmt::format("- {}: {}\n", name, value);
  if (!report.facts.empty()) out += "\n";
  if (report.validation) {
    out += fmt::format("## Comparison\n\n{}\n\n", verdict(*report.validation));
    out += markdown_table(output_rows(*report.validation));
  }
  if (report.measurement) {
    out += fmt::format("## Latency\n\n{}\n\n", speed(*report.measurement));
    out += markdown_table(latency_rows(*report.measurement));
  }
  if (report.quantization) {
    const QuantizationReport& q = *report.quantization;
    out += fmt::format("## Quantisation\n\n{}\n\n{}{}", summary(q), markdown_table(output_rows(q)),
                       markdown_table(layer_rows(q)));
  }
  return out;
}

std::string to_html(const Report& report) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>{1}</style></head>"
      "<body>\n<h1>{0}</h1>\n",
      escape(report.model), kStyle);
  if (!report.facts.empty()) {
    Rows rows = {{"fact", "value"}};
    for (const auto& [name, value] : report.facts) rows.push_back({name, value});
    out += html_table(rows);
  }
  if (report.validation) {
    const ValidateResult& v = *report.validation;
    out += fmt::format("<h2>Comparison</h2>\n<p>{}</p>\n{}", escape(verdict(v)), html_table(output_rows(v)));
    if (!v.layers.empty()) out += growth_plot(v);
  }
  if (report.measurement) {
    const BenchResult& b = *report.measurement;
    out += fmt::format("<h2>Latency</h2>\n<p>{}</p>\n{}{}", escape(speed(b)), html_table(latency_rows(b)),
                       latency_plot(b));
  }
  if (report.quantization) {
    const QuantizationReport& q = *report.quantization;
    out += fmt::format("<h2>Quantisation</h2>\n<p>{}</p>\n{}{}{}", escape(summary(q)), html_table(output_rows(q)),
                       html_table(layer_rows(q)), layer_error_plot(q));
  }
  return out + "</body></html>\n";
}

void write_report(const std::filesystem::path& path, const Report& report) {
  std::string extension = path.extension().string(), text;
  if (extension == ".json")
    text = to_json(report).dump(2) + "\n";
  else if (extension == ".md")
    text = to_markdown(report);
  else if (extension == ".html")
    text = to_html(report);
  else
    raise<UsageError>("a report is a .json, .md or .html file, not {}", path.string());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  require<FileError>(file.good(), "cannot write {}", path.string());
}

}  // namespace godwit::parity
