#include "onnx_backend/case.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <map>

#include "base/error.h"
#include "base/zip.h"
#include "executors/executor.h"
#include "frontends/onnx/importer.h"

namespace godwit::onnx_backend {
namespace {

using executors::HostValue;
using Kind = onnx::ValueType::Kind;

Blob read_file(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  return {file->bytes().begin(), file->bytes().end()};
}

bool is_nan(DType dtype, uint8_t bits) {
  switch (dtype) {
    case DType::f8e4m3fn: return (bits & 0x7f) == 0x7f;
    case DType::f8e5m2: return (bits & 0x7f) > 0x7c;
    case DType::f8e4m3fnuz:
    case DType::f8e5m2fnuz: return bits == 0x80;
    case DType::f8e8m0: return bits == 0xff;
    default: return false;
  }
}

bool same_bits(DType dtype, uint8_t a, uint8_t b) {
  if (a == b || (is_nan(dtype, a) && is_nan(dtype, b))) return true;
  const bool signed_zeros = dtype == DType::f8e4m3fn || dtype == DType::f8e5m2 || dtype == DType::f4e2m1 ||
                            dtype == DType::f6e2m3 || dtype == DType::f6e3m2;
  const uint8_t sign = dtype == DType::f4e2m1 ? 0x08 : dtype == DType::f6e2m3 || dtype == DType::f6e3m2 ? 0x20 : 0x80;
  return signed_zeros && ((a == 0 && b == sign) || (a == sign && b == 0));
}

bool close(double computed, double expected, double rtol) {
  if (std::isnan(expected) || std::isnan(computed)) return std::isnan(expected) && std::isnan(computed);
  if (std::isinf(expected) || std::isinf(computed)) return expected == computed;
  return std::abs(computed - expected) <= 1e-7 + rtol * std::abs(expected);
}

std::string compare(const Tensor& computed, const Tensor& expected) {
  if (computed.dtype != expected.dtype || computed.shape != expected.shape)
    return fmt::format("{} instead of {}", describe(computed), describe(expected));
  const double rtol = expected.dtype == DType::bf16 ? std::ldexp(1.0, -6) : 1e-3;
  int64_t wrong = 0, first = -1;
  for (int64_t i = 0; i < expected.size(); ++i) {
    bool ok = false;
    if (is_small_float(expected.dtype)) {
      ok = same_bits(expected.dtype, static_cast<uint8_t>(computed.bytes()[static_cast<size_t>(i)]),
                     static_cast<uint8_t>(expected.bytes()[static_cast<size_t>(i)]));
    } else if (is_integer(expected.dtype) || expected.dtype == DType::boolean) {
      ok = computed.integer(i) == expected.integer(i);
    } else {
      ok = close(computed.number(i), expected.number(i), rtol);
    }
    if (!ok && wrong++ == 0) first = i;
  }
  if (wrong == 0) return "";
  auto shown = [&](const Tensor& t) {
    return is_small_float(t.dtype) ? static_cast<double>(t.bytes()[static_cast<size_t>(first)]) : t.number(first);
  };
  return fmt::format("{} of {} elements differ, first at {}: {} instead of {}", wrong, expected.size(), first,
                     shown(computed), shown(expected));
}

std::string compare(const HostValue& computed, const HostValue& expected) {
  if (computed.items.size() != expected.items.size())
    return fmt::format("{} items instead of {}", computed.items.size(), expected.items.size());
  for (size_t i = 0; i < expected.items.size(); ++i)
    if (std::string reason = compare(computed.items[i], expected.items[i]); !reason.empty()) return reason;
  return "";
}

HostValue host_value(const onnx::ValueType& type, std::span<const std::byte> bytes) {
  HostValue out;
  std::vector<onnx::NamedTensor> tensors;
  if (type.kind == Kind::sequence) {
    tensors = onnx::read_sequence(bytes);
    out.is_sequence = true;
  } else if (type.kind == Kind::optional) {
    const bool of_sequence = type.element && type.element->kind == Kind::sequence;
    tensors = onnx::read_optional(bytes, of_sequence).value_or(std::vector<onnx::NamedTensor>{});
    out.is_sequence = true;
  } else {
    tensors = {onnx::read_tensor(bytes)};
  }
  for (onnx::NamedTensor& t : tensors) {
    require<UsageError>(t.tensor.dtype != DType::text, "strings");
    out.items.push_back(std::move(t.tensor));
  }
  return out;
}

// The input that a message asks for: "(--input NAME=...)".
std::string asked_for(const std::string& message) {
  const std::string open = "--input ", close = "=...)";
  const size_t at = message.find(open), end = message.find(close);
  return at == std::string::npos || end == std::string::npos ? ""
                                                             : message.substr(at + open.size(), end - at - open.size());
}

// Gives the value of one input, or (where `name` is none) of every input of few integers. False when nothing is new.
bool specialise(const onnx::Model& model, const DataSet& data, const std::string& name,
                frontends::ImportOptions& options) {
  const size_t before = options.inputs.size();
  auto add = [&](bool named) {
    for (size_t i = 0; i < data.inputs.size() && i < model.graph.inputs.size(); ++i) {
      const onnx::ValueInfo& info = model.graph.inputs[i];
      if (info.type.kind != Kind::tensor || info.type.dtype == DType::text || (named && info.name != name)) continue;
      Tensor t = onnx::read_tensor(data.inputs[i]).tensor;
      const bool is_count = is_integer(t.dtype) || t.dtype == DType::boolean;
      if (t.size() <= 64 && (named || is_count)) options.inputs[info.name].value = t;
    }
    return options.inputs.size() > before;
  };
  return add(true) || add(false);
}

std::string unsupported(const ir::Module& module) {
  std::map<std::string, int> counts;
  ir::for_each_node(module.main(), [&](const ir::Node& node, const ir::Graph&) {
    if (node.op.starts_with(ops::unsupported_prefix) && node.op != "unsupported.blocked")
      ++counts[node.op.substr(ops::unsupported_prefix.size())];
  });
  std::string out;
  for (const auto& [name, count] : counts) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// On one executor; why it did not pass. What the executor had no kernel for goes to `fallbacks`.
std::string run(const std::string& name, const onnx::Model& model, const ir::Module& module,
                const std::vector<DataSet>& data_sets, std::vector<std::string>& fallbacks) {
  for (const DataSet& data : data_sets) {
    std::map<std::string, HostValue> inputs;
    for (size_t i = 0; i < data.inputs.size() && i < model.graph.inputs.size(); ++i) {
      const onnx::ValueInfo& info = model.graph.inputs[i];
      bool is_asked = false;
      for (const ir::Value* v : module.main().inputs) is_asked = is_asked || v->name == info.name;
      if (is_asked) inputs[info.name] = host_value(info.type, data.inputs[i]);
    }
    const auto executor = executors::make_executor(name, module);
    const auto outputs = executor->run(inputs);
    fallbacks = executor->fallbacks();
    for (size_t i = 0; i < data.outputs.size() && i < model.graph.outputs.size(); ++i) {
      const onnx::ValueInfo& info = model.graph.outputs[i];
      const std::string reason = compare(outputs.at(info.name), host_value(info.type, data.outputs[i]));
      if (!reason.empty()) return info.name + ": " + reason;
    }
  }
  return "";
}

}  // namespace

Case read_case(const std::filesystem::path& folder) {
  Case out{folder.filename().string(), read_file(folder / "model.onnx"), {}};
  for (int k = 0; std::filesystem::is_directory(folder / fmt::format("test_data_set_{}", k)); ++k) {
    const auto set = folder / fmt::format("test_data_set_{}", k);
    DataSet data;
    auto load = [&](const char* kind, std::vector<Blob>& into) {
      for (int i = 0; std::filesystem::exists(set / fmt::format("{}_{}.pb", kind, i)); ++i)
        into.push_back(read_file(set / fmt::format("{}_{}.pb", kind, i)));
    };
    load("input", data.inputs), load("output", data.outputs);
    out.data_sets.push_back(std::move(data));
  }
  return out;
}

std::vector<Case> read_cases(const std::filesystem::path& archive) {
  ZipArchive zip = ZipArchive::open(archive);
  std::map<std::string, Case> cases;
  auto blob = [&](const std::string& name) {
    auto bytes = zip.read(name);
    return Blob(bytes.data.begin(), bytes.data.end());
  };
  for (const auto& entry : zip.entries()) {
    const std::string suffix = "/model.onnx";
    if (!entry.name.ends_with(suffix)) continue;
    const std::string folder = entry.name.substr(0, entry.name.size() - suffix.size());
    Case test{folder, blob(entry.name), {}};
    for (int k = 0; zip.find(fmt::format("{}/test_data_set_{}/output_0.pb", folder, k)); ++k) {
      DataSet data;
      auto load = [&](const char* kind, std::vector<Blob>& into) {
        for (int i = 0;; ++i) {
          const std::string name = fmt::format("{}/test_data_set_{}/{}_{}.pb", folder, k, kind, i);
          if (!zip.find(name)) return;
          into.push_back(blob(name));
        }
      };
      load("input", data.inputs), load("output", data.outputs);
      test.data_sets.push_back(std::move(data));
    }
    cases[folder] = std::move(test);
  }
  std::vector<Case> out;
  for (auto& [name, test] : cases) out.push_back(std::move(test));
  return out;
}

Outcome run_case(const Case& test) {
  Outcome out;
  const onnx::Model model = onnx::read_model(test.model, nullptr);
  frontends::ImportOptions options;
  frontends::Imported imported;
  for (bool done = false; !done;) {
    try {
      imported = frontends::onnx::import_model(model, options);
      done = true;
    } catch (const Error& e) {
      out.reason = std::string("import: ") + e.what();
      if (test.data_sets.empty() || !specialise(model, test.data_sets[0], asked_for(e.what()), options)) return out;
    }
  }
  for (const auto& [name, input] : options.inputs) out.specialised.push_back(name);
  out.reason = unsupported(imported.module);
  if (!out.reason.empty()) {
    out.status = Outcome::Status::refused;
    return out;
  }
  for (const std::string executor : {"mlx", "cpu"}) {
    out.reason = run(executor, model, imported.module, test.data_sets, out.fallbacks);
    if (!out.reason.empty()) {
      out.reason = executor + ": " + out.reason;
      break;
    }
  }
  out.status = out.reason.empty() ? Outcome::Status::passed : Outcome::Status::failed;
  return out;
}

}  // namespace godwit::onnx_backend
