// godwit quantize: a package with weights of 4 or 8 bits from one with float weights.
#include "quantize.h"

#include <fmt/format.h>

#include <chrono>
#include <iostream>

#include "base/atomic_output.h"
#include "base/error.h"
#include "base/output_file.h"
#include "emit/package.h"
#include "inputs.h"
#include "ops/affine.h"
#include "parity/report.h"
#include "parity/tensor_file.h"
#include "proof.h"
#include "verbs.h"

namespace godwit::app {

void add_quantize_options(CLI::App& verb, QuantizeArguments& arguments) {
  verb.add_option("--group-size", arguments.group_size,
                  "32, 64 or 128 weights share a scale (default: 32 with 8 bits, else 64)");
  verb.add_option("--target", arguments.target,
                  "Of mixed: what an output may be off by, rms, as a share of its own rms")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--keep", arguments.keep,
                  "PATTERN: layers that stay float, e.g. 'encoder.layer.0.*' or '*.classifier'");
  verb.add_option("--override", arguments.overrides,
                  "PATTERN=BITS: layers that get 8 or 4 bits whatever the others get");
}

parity::QuantizeOptions quantize_options(const QuantizeArguments& arguments) {
  using Bits = parity::QuantizeOptions::Bits;
  parity::QuantizeOptions out;
  const std::string& bits = arguments.bits;
  require<UsageError>(bits == "8" || bits == "4" || bits == "mixed", "{} bits: choose 8, 4 or mixed", bits);
  out.bits = bits == "8" ? Bits::eight : bits == "4" ? Bits::four : Bits::mixed;
  // With 8 bits most of the error is that of the activations, which kernels round to one scale a group.
  out.group_size = arguments.group_size.value_or(bits == "8" ? 32 : 64);
  require<UsageError>(ops::is_affine_group(out.group_size), "--group-size {}: choose 32, 64 or 128", out.group_size);
  out.target = arguments.target;
  for (const std::string& spec : arguments.overrides) {
    const auto [pattern, text] = split_pair(spec, "--override");
    require<UsageError>(text == "8" || text == "4", "--override {}: 8 or 4 bits are possible; --keep leaves float",
                        spec);
    out.overrides.push_back({pattern, text == "8" ? 8 : 4});
  }
  for (const std::string& pattern : arguments.keep) out.overrides.push_back({pattern, 0});
  return out;
}

void describe_quantization(const parity::QuantizationReport& report, ir::Module& module) {
  module.metadata["quantized"] = fmt::format("{} bits, groups of {}", report.bits, report.group_size);
}

void save_quantization(const parity::QuantizationReport& report, const std::filesystem::path& package) {
  using Json = nlohmann::json;
  write_file(package / "quantization.json",
             parity::to_json(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

namespace {

struct Options {
  std::string package, output, inputs, report;
  std::vector<std::string> sizes;
  QuantizeArguments how;
  bool json = false;
};

// The package's golden, else the given or random inputs.
parity::Golden example(const Options& options, const ir::Module& module, bool has_golden) {
  if (options.inputs.empty() && has_golden)
    return parity::load_golden(std::filesystem::path(options.package) / emit::golden_name);
  parity::Golden golden;
  golden.name = options.inputs.empty() ? "random input" : options.inputs;
  golden.inputs = example_inputs(module.main(), options.inputs, options.sizes);
  return golden;
}

int run(const Options& options) {
  const parity::QuantizeOptions how = quantize_options(options.how);
  const auto start = std::chrono::steady_clock::now();
  require<FileError>(std::filesystem::exists(options.package), "{}: no such file", options.package);
  require<UsageError>(emit::is_package(options.package),
                      "{} is no package; godwit convert MODEL -o DIR --quantize {} quantises a model file",
                      options.package, options.how.bits);
  emit::check_replaceable(options.output);
  AtomicOutput output(options.output, AtomicOutput::Kind::folder);
  ir::Module module = emit::read_package(options.package);
  require<UsageError>(module.graphs.contains("main"), "{} has no graph called main to measure on", options.package);
  const std::filesystem::path golden_path = std::filesystem::path(options.package) / emit::golden_name;
  const bool has_golden = std::filesystem::exists(golden_path);
  const parity::QuantizationReport report = parity::quantize(module, example(options, module, has_golden), how);
  describe_quantization(report, module);
  emit::write_package(module, output.path());
  save_quantization(report, output.path());
  if (has_golden) {  // what the original gives stays the measure
    const parity::Golden golden = parity::load_golden(golden_path);
    emit::write_golden(output.path(), parity::tensors_of(golden), parity::metadata_of(golden));
  }
  if (!options.report.empty())
    parity::write_report(options.report, {options.output, {{"source", options.package}}, {}, {}, report});
  output.commit();
  if (!options.json) {
    std::cout << parity::to_text(report);
    return 0;
  }
  nlohmann::json answer = parity::to_json(report);
  answer["status"] = "quantized";
  answer["package"] = options.output;
  answer["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::cout << answer.dump(2) << "\n";
  return 0;
}

}  // namespace

Verb add_quantize(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("quantize", "A package with weights of 8 or 4 bits, and what that costs");
  verb->add_option("package", options->package, "A package that convert wrote, with float weights")->required();
  verb->add_option("-o,--output", options->output, "The new package: a folder, made whole or not at all")->required();
  verb->add_option("--bits", options->how.bits, bits_help)->required();
  add_quantize_options(*verb, options->how);
  verb->add_option("--inputs", options->inputs,
                   "A .safetensors file with the inputs that errors are measured on (default: those of the package's\n"
                   "golden, else random ones)");
  verb->add_option("--size", options->sizes, "SYMBOL=N: a symbolic dimension of random inputs (default 2)");
  verb->add_option("--report", options->report, "Write a report: .json, .md or .html");
  verb->add_flag("--json", options->json, "One JSON object on stdout");
  verb->footer(footer(
      "Linear layers, products with a constant matrix, embeddings and 1x1 convolutions get MLX's affine format;\n"
      "weights whose input axis does not divide by the group stay float. The report lies in the package, too\n"
      "(quantization.json).\n"
      "  godwit quantize model -o model8 --bits 8\n"
      "  godwit quantize model -o small --bits mixed --keep '*.classifier'\n"
      "  godwit quantize model -o small --bits 4 --override '*.query=8' --group-size 32 --report cost.html\n"));
  return {verb, [options] { return run(*options); }};
}

}  // namespace godwit::app
