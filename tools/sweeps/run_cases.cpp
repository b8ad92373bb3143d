// Imports and runs many small .pt2 and TorchScript files in one process and compares them with recorded results.
//
//   run_cases CASES.jsonl BLOB > RESULTS.jsonl
//
// A case is {"id", "file", "inputs": {name: [dtype, shape, offset]}, "outputs": {...}, "float64": {...}, "random":
// bool}; tensors lie row-major in BLOB. With "random" only dtypes and shapes are compared. Outputs that are off are
// judged by "float64": the reference's results from the same operands in float64, rounded to the outputs' types.
// Results are {"id", "status", "reason", "error", "judged_by"}, where the error is relative to the output's scale.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/mapped_file.h"
#include "executors/mlx/executor.h"
#include "frontends/frontend.h"
#include "ir/text.h"
#include "parity/compare.h"
#include "parity/tolerance.h"

namespace {

using namespace godwit;
using Json = nlohmann::json;

Tensor tensor_of(const Json& spec, const MappedFile& blob) {
  auto dtype = parse_dtype(spec.at(0).get<std::string>());
  require<UsageError>(dtype.has_value(), "dtype {} is unknown", spec.at(0).get<std::string>());
  Tensor t = Tensor::zeros(*dtype, spec.at(1).get<std::vector<int64_t>>());
  return Tensor::of_bytes(*dtype, t.shape, blob.bytes().subspan(spec.at(2).get<size_t>(), t.nbytes()));
}

frontends::Imported import_case(const Json& spec) {
  const auto path = spec.at("file").get<std::string>();
  frontends::ImportOptions options;
  if (!path.ends_with("pt2"))  // scripts do not say the shapes of their inputs
    for (const auto& [name, input] : spec.at("inputs").items()) {
      options.inputs[name].dtype = parse_dtype(input.at(0).get<std::string>());
      options.inputs[name].shape = ir::dims(input.at(1).get<std::vector<int64_t>>());
    }
  return frontends::import_model(path, options);
}

std::string unsupported_text(const ir::Module& module) {
  std::string out;
  ir::for_each_node(module.main(), [&](const ir::Node& node, const ir::Graph&) {
    if (node.op.starts_with("unsupported.")) out += (out.empty() ? "" : ", ") + node.op.substr(12);
  });
  return out;
}

using Results = std::map<std::string, executors::HostValue>;

struct Judgement {
  std::string reason;  // why the first output that is off is off; empty when none is
  double error = 0;    // the largest
};

// The outputs against recorded ones.
Judgement judge(const Results& results, const Json& references, const MappedFile& blob, bool floats_only) {
  Judgement j;
  for (const auto& [name, expected] : references.items()) {
    const Tensor reference = tensor_of(expected, blob);
    if (floats_only && !is_float(reference.dtype) && !is_complex(reference.dtype)) continue;
    // In float32 1e-5 of the scale; every type has its figure in parity/tolerance.h.
    auto c = parity::compare(name, results.at(name).items.at(0), reference,
                             {parity::scaled_tolerance(reference.dtype, false), 0, 0});
    if (!c.passed && j.reason.empty()) j.reason = name + ": " + c.reason;
    j.error = std::max(j.error, c.scaled_error());
  }
  return j;
}

// Integers and booleans are the reference's own; and float64 speaks for the same outputs, in the same types.
bool may_ask_float64(const Results& results, const Json& spec, const MappedFile& blob) {
  if (spec.value("float64", Json::object()).empty()) return false;
  for (const auto& [name, expected] : spec.at("outputs").items()) {
    const Tensor reference = tensor_of(expected, blob);
    if (!spec.at("float64").contains(name)) return false;
    if (is_float(reference.dtype) || is_complex(reference.dtype)) continue;
    if (!parity::compare(name, results.at(name).items.at(0), reference, {}).passed) return false;
  }
  return true;
}

Json verdict(const Results& results, const Json& spec, const MappedFile& blob) {
  for (const auto& [name, expected] : spec.at("outputs").items()) {
    if (!results.contains(name)) return {{"status", "failed"}, {"reason", "no output " + name}};
    const Tensor &computed = results.at(name).items.at(0), reference = tensor_of(expected, blob);
    if (spec.value("random", false) && (computed.dtype != reference.dtype || computed.shape != reference.shape))
      return {{"status", "failed"}, {"reason", describe(computed) + " instead of " + describe(reference)}};
  }
  if (spec.value("random", false)) return {{"status", "passed"}, {"error", 0.0}};
  const Judgement given = judge(results, spec.at("outputs"), blob, false);
  if (given.reason.empty()) return {{"status", "passed"}, {"error", given.error}};
  if (may_ask_float64(results, spec, blob)) {
    const Judgement exact = judge(results, spec.at("float64"), blob, true);
    if (exact.reason.empty())
      return {{"status", "passed"}, {"error", exact.error}, {"judged_by", "float64"}, {"reason", given.reason}};
    return {{"status", "failed"}, {"error", given.error}, {"reason", given.reason + "; float64: " + exact.reason}};
  }
  return {{"status", "failed"}, {"error", given.error}, {"reason", given.reason}};
}

Json run_case(const Json& spec, const MappedFile& blob) {
  frontends::Imported model = import_case(spec);
  std::string missing = unsupported_text(model.module);
  if (!missing.empty()) {
    std::string why;
    for (const std::string& w : model.warnings) why += "; " + w;
    return {{"status", "unsupported"}, {"reason", missing + why}};
  }
  Results inputs;
  for (const auto& [name, tensor] : spec.at("inputs").items()) inputs[name].items = {tensor_of(tensor, blob)};
  executors::MlxExecutor executor(model.module);
  return verdict(executor.run(inputs), spec, blob);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: run_cases CASES.jsonl BLOB\n";
    return 1;
  }
  auto blob = MappedFile::open(argv[2]);
  std::ifstream cases(argv[1]);
  for (std::string line; std::getline(cases, line);) {
    const Json spec = Json::parse(line);
    Json result;
    try {
      result = run_case(spec, *blob);
      if (argc > 3) std::cerr << ir::print(import_case(spec).module.main());
    } catch (const std::exception& e) {
      result = {{"status", "error"}, {"reason", e.what()}};
    }
    result["id"] = spec.at("id");
    std::cout << result.dump() << std::endl;
  }
}
