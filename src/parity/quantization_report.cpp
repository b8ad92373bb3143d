// A quantisation report as JSON, as rows of tables and as text.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "parity/quantization.h"

namespace godwit::parity {
namespace {

// JSON has no infinity; a reader gets the largest double.
double finite(double value) { return std::isfinite(value) ? value : std::numeric_limits<double>::max(); }

nlohmann::json error_json(const std::optional<QuantizationError>& e) {
  if (!e) return nullptr;
  return {{"largest", finite(e->largest)}, {"rms", finite(e->rms)}, {"cosine", e->cosine}};
}

std::string megabytes(uint64_t bytes) { return fmt::format("{:.2f}", static_cast<double>(bytes) / 1e6); }

std::string error_text(const std::optional<QuantizationError>& e) { return e ? fmt::format("{:.2e}", e->rms) : "-"; }

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.at(0).size(), 0);
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace

nlohmann::json to_json(const QuantizationReport& r) {
  nlohmann::json layers = nlohmann::json::array(), outputs = nlohmann::json::array();
  for (const LayerQuantization& l : r.layers)
    layers.push_back({{"name", l.name},
                      {"weight", l.weight},
                      {"ops", l.ops},
                      {"shape", l.shape},
                      {"bits", l.bits > 0 ? nlohmann::json(l.bits) : nlohmann::json()},
                      {"why", l.why},
                      {"bytes_before", l.bytes_before},
                      {"bytes_after", l.bytes_after},
                      {"weight_error", error_json(l.weight_error)},
                      {"output_error", error_json(l.output_error)}});
  for (const OutputQuantization& o : r.outputs) {
    nlohmann::json output = error_json(o.error);
    output["name"] = o.name;
    outputs.push_back(std::move(output));
  }
  return {{"bits", r.bits},
          {"group_size", r.group_size},
          {"target", r.target ? nlohmann::json(*r.target) : nlohmann::json()},
          {"measured_on", r.measured_on},
          {"calls", r.calls},
          {"bytes_before", r.bytes_before},
          {"bytes_after", r.bytes_after},
          {"layers", layers},
          {"outputs", outputs}};
}

std::vector<std::vector<std::string>> layer_rows(const QuantizationReport& r) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "op", "shape", "bits", "MB before", "MB after", "weight rms", "output rms", ""}};
  for (const LayerQuantization& l : r.layers)
    rows.push_back({l.name, fmt::format("{}", fmt::join(l.ops, ", ")), fmt::format("[{}]", fmt::join(l.shape, ", ")),
                    l.bits > 0 ? std::to_string(l.bits) : "float", megabytes(l.bytes_before), megabytes(l.bytes_after),
                    error_text(l.weight_error), error_text(l.output_error), l.why});
  return rows;
}

std::vector<std::vector<std::string>> output_rows(const QuantizationReport& r) {
  std::vector<std::vector<std::string>> rows = {{"output", "largest error / scale", "rms error / rms", "cosine"}};
  for (const OutputQuantization& o : r.outputs)
    rows.push_back({o.name, fmt::format("{:.3g}", o.error.largest), fmt::format("{:.3g}", o.error.rms),
                    fmt::format("{:.7f}", o.error.cosine)});
  return rows;
}

std::string summary(const QuantizationReport& r) {
  const auto count = std::count_if(r.layers.begin(), r.layers.end(), [](const auto& l) { return l.bits > 0; });
  const auto eight = std::count_if(r.layers.begin(), r.layers.end(), [](const auto& l) { return l.bits == 8; });
  return fmt::format(
      "{} of {} layers quantised ({} to 4 bits, {} to 8) in groups of {}; weights {} MB -> {} MB; errors against the "
      "float model, measured on {}",
      count, r.layers.size(), count - eight, eight, r.group_size, megabytes(r.bytes_before), megabytes(r.bytes_after),
      r.measured_on);
}

std::string to_text(const QuantizationReport& r) {
  return summary(r) + "\n\n" + aligned(layer_rows(r)) + "\n" + aligned(output_rows(r));
}

}  // namespace godwit::parity
