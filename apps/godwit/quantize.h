// What convert and quantize share.
#pragma once

#include <CLI/CLI.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "parity/quantization.h"

namespace godwit::app {

struct QuantizeArguments {
  std::string bits;               // "8", "4", "mixed"; empty: not asked for
  std::optional<int> group_size;  // by default what the bits need
  double target = parity::mixed_target;
  std::vector<std::string> keep, overrides;
};

// All but the option of the bits, whose name differs.
void add_quantize_options(CLI::App& verb, QuantizeArguments& arguments);
inline constexpr const char* bits_help =
    "8, 4 or mixed: every layer is measured alone with 4 bits; those that cost least for the bytes saved\n"
    "keep 4, the others get 8 (or stay float), so that no output is off by more than --target";

// Throws UsageError.
parity::QuantizeOptions quantize_options(const QuantizeArguments& arguments);

// Leaves the report in the package, and the words for it in the metadata.
void describe_quantization(const parity::QuantizationReport& report, ir::Module& module);
void save_quantization(const parity::QuantizationReport& report, const std::filesystem::path& package);

}  // namespace godwit::app
