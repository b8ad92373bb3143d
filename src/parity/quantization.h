// Quantises a module and says what that costs: bytes, and the error that every layer and every output gains.
//
// `mixed` measures. Every layer alone is given 4 bits, and the error that the outputs of the graph gain is taken (root
// mean square of the difference, as a share of that of the output). From the layer that costs least for each byte saved
// on, every one whose squared error still fits a budget gets 4 bits, the others 8. The budget is the largest with which
// no output, measured with all of them, is off by more than the target. Where 8 bits everywhere are too few for
// that, the same is done between 8 bits and float.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "parity/golden.h"

namespace godwit::parity {

inline constexpr double mixed_target = 0.05;
inline constexpr int64_t most_measured_calls = 16;  // of a golden that records more

struct QuantizeOptions {
  enum class Bits : uint8_t { four = 4, eight = 8, mixed = 0 };
  // Layers whose name (or weight) matches the pattern, with * and ? as in a shell. 0 bits: stays float.
  struct Override {
    std::string pattern;
    int bits = 0;
  };
  Bits bits = Bits::eight;
  int group_size = 64;
  double target = mixed_target;
  std::vector<Override> overrides;  // of several that match, the last one holds
  std::string graph = "main";       // what is measured
  std::string executor = "cpu";
};

// Shares: of the largest magnitude, and of the root mean square, of what it should be.
struct QuantizationError {
  double largest = 0, rms = 0, cosine = 1;
};

struct LayerQuantization {
  std::string name, weight;
  std::vector<std::string> ops;
  std::vector<int64_t> shape;  // (out, in)
  int bits = 0;                // 0: stays float
  std::string why;             // it stays float or has these bits
  uint64_t bytes_before = 0, bytes_after = 0;
  std::optional<QuantizationError> weight_error;  // unset: stays float
  std::optional<QuantizationError> output_error;  // unset: also where the measured graph does not reach it
};

struct OutputQuantization {
  std::string name;
  QuantizationError error;  // of integers `rms` is the share of elements that differ
};

struct QuantizationReport {
  std::string bits;  // "4", "8", "mixed"
  int group_size = 64;
  std::optional<double> target;  // of `mixed`
  std::string measured_on;       // "golden (onnxruntime 1.31.1)", "random input"
  int64_t calls = 1;
  std::vector<LayerQuantization> layers;       // every weight that could be, in execution order
  std::vector<OutputQuantization> outputs;     // against the graph before, by name
  uint64_t bytes_before = 0, bytes_after = 0;  // of all weights
};

// `example` gives the inputs that errors are measured on. Throws UsageError where nothing can be quantised, the module
// is quantised already, or a pattern matches no layer.
QuantizationReport quantize(ir::Module& module, const Golden& example, const QuantizeOptions& options);

nlohmann::json to_json(const QuantizationReport& report);
// Rows of words, a header first: of the layers, and of the outputs.
std::vector<std::vector<std::string>> layer_rows(const QuantizationReport& report);
std::vector<std::vector<std::string>> output_rows(const QuantizationReport& report);
std::string summary(const QuantizationReport& report);  // one sentence
std::string to_text(const QuantizationReport& report);

}  // namespace godwit::parity
