// Reports of a comparison and a measurement: JSON for machines, Markdown, or one self-contained HTML page with plots.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "parity/bench.h"
#include "parity/quantization.h"
#include "parity/validate.h"

namespace godwit::parity {

struct Report {
  std::string model;
  std::map<std::string, std::string> facts;  // "nodes", "parameters", "date", versions: shown as they are
  std::optional<ValidateResult> validation;
  std::optional<BenchResult> measurement;
  std::optional<QuantizationReport> quantization = {};
};

nlohmann::json to_json(const Report& report);
std::string to_markdown(const Report& report);
std::string to_html(const Report& report);

// By the extension: .json, .md, .html. Throws UsageError on another one, FileError when the file cannot be written.
void write_report(const std::filesystem::path& path, const Report& report);

}  // namespace godwit::parity
