// godwit inspect: what a model holds, and what is not supported.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "inputs.h"
#include "ir/text.h"
#include "load.h"
#include "ops/builder.h"
#include "verbs.h"

namespace godwit::app {
namespace {

struct Options {
  std::string model;
  std::vector<std::string> inputs;
  bool json = false, graph = false;
};

nlohmann::json shape_json(const ir::Type& type) {
  if (!type.shape) return nullptr;
  auto shape = nlohmann::json::array();
  for (const ir::Dim& d : *type.shape) d.is_known() ? shape.push_back(d.value()) : shape.push_back(d.str());
  return shape;
}

nlohmann::json values_json(const std::vector<ir::Value*>& values, const std::vector<std::string>& names) {
  auto list = nlohmann::json::array();
  for (size_t i = 0; i < values.size(); ++i)
    list.push_back({{"name", names.empty() ? values[i]->name : names[i]},
                    {"dtype", long_name(values[i]->dtype())},
                    {"shape", shape_json(values[i]->type)},
                    {"sequence", values[i]->type.sequence}});
  return list;
}

nlohmann::json graph_json(const ir::Graph& graph, nlohmann::json& ops) {
  size_t nodes = 0;
  ir::for_each_node(graph, [&](const ir::Node& node, const ir::Graph&) {
    ++nodes;
    if (!node.op.starts_with(ops::unsupported_prefix)) ops[node.op] = ops.value(node.op, 0) + 1;
  });
  auto states = nlohmann::json::array();
  for (const ir::State& s : graph.states)
    states.push_back({{"name", s.name},
                      {"type", ir::str(s.before->type)},
                      {"dtype", long_name(s.before->dtype())},
                      {"shape", shape_json(s.before->type)}});
  return {{"name", graph.name},
          {"nodes", nodes},
          {"inputs", values_json(graph.inputs, {})},
          {"outputs", values_json(graph.outputs, graph.output_names)},
          {"states", states}};
}

nlohmann::json weights_json(const ir::Module& module) {
  auto list = nlohmann::json::array();
  for (const auto& [name, tensor] : module.weights)
    list.push_back({{"name", name}, {"dtype", long_name(tensor.dtype)}, {"shape", tensor.shape}});
  return list;
}

// Elements and bytes of the weights, by dtype.
nlohmann::json dtypes_json(const ir::Module& module, size_t& bytes) {
  auto out = nlohmann::json::object();
  for (const auto& [name, tensor] : module.weights) {
    bytes += tensor.nbytes();
    const std::string dtype(long_name(tensor.dtype));
    out[dtype] = out.value(dtype, int64_t{0}) + tensor.size();
  }
  return out;
}

// Of a file, or of all files in a folder.
uint64_t size_on_disk(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return fs::file_size(path, ignored);
  uint64_t bytes = 0;
  for (const auto& item : fs::recursive_directory_iterator(path, ignored))
    if (item.is_regular_file(ignored)) bytes += item.file_size(ignored);
  return bytes;
}

// What the program text says where the shapes of inputs are not known.
void add_outline(const frontends::Outline& outline, nlohmann::json& out) {
  for (const auto& [name, count] : outline.ops) out["ops"][name] = count;
  for (const auto& i : outline.inputs)
    out["inputs"].push_back({{"name", i.name}, {"dtype", i.type}, {"shape", nullptr}, {"optional", i.has_default}});
  for (const std::string& name : outline.outputs)
    out["outputs"].push_back({{"name", name}, {"dtype", nullptr}, {"shape", nullptr}});
}

nlohmann::json report(const Loaded& loaded, const std::filesystem::path& path) {
  nlohmann::json ops = nlohmann::json::object(), unsupported = nlohmann::json::object(),
                 places = nlohmann::json::object();
  auto graphs = nlohmann::json::array();
  for (const auto& [name, graph] : loaded.module.graphs) graphs.push_back(graph_json(graph, ops));
  for (const auto& op : frontends::unsupported_ops(loaded.module)) {
    unsupported[op.name] = op.count;
    places[op.name] = op.places;
  }
  size_t weight_bytes = 0;
  const auto dtypes = dtypes_json(loaded.module, weight_bytes);
  nlohmann::json out{{"format", loaded.format},
                     {"graphs", graphs},
                     {"ops", ops},
                     {"unsupported", unsupported},
                     {"unsupported_places", places},
                     {"parameters", parameter_count(loaded.module)},
                     {"parameter_dtypes", dtypes},
                     {"weight_bytes", weight_bytes},
                     {"bytes", size_on_disk(path)},
                     {"source_nodes", loaded.source_nodes},
                     {"weights", weights_json(loaded.module)},
                     {"metadata", loaded.module.metadata},
                     {"warnings", loaded.warnings}};
  out["inputs"] = graphs.empty() ? nlohmann::json::array() : graphs.front()["inputs"];
  out["outputs"] = graphs.empty() ? nlohmann::json::array() : graphs.front()["outputs"];
  if (loaded.outline) add_outline(*loaded.outline, out);
  return out;
}

std::string shape_text(const nlohmann::json& value) {
  if (value["dtype"].is_null()) return "?";
  const auto dtype = value["dtype"].get<std::string>();
  if (value["shape"].is_null()) return dtype;
  std::string out = dtype + "[";
  for (size_t i = 0; i < value["shape"].size(); ++i) {
    const auto& d = value["shape"][i];
    out += (i ? ", " : "") + (d.is_string() ? d.get<std::string>() : d.dump());
  }
  return out + "]";
}

// 309121 -> "309,121"
std::string grouped(int64_t n) {
  std::string digits = std::to_string(n);
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string size_text(uint64_t bytes) {
  const auto n = static_cast<double>(bytes);
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  return bytes < 1'000'000 ? fmt::format("{:.1f} KB", n / 1e3) : fmt::format("{:.1f} MB", n / 1e6);
}

void print_head(const nlohmann::json& r) {
  std::string dtypes;
  for (const auto& [dtype, count] : r["parameter_dtypes"].items())
    dtypes += (dtypes.empty() ? "" : ", ") +
              (r["parameter_dtypes"].size() == 1 ? dtype : grouped(count.get<int64_t>()) + " " + dtype);
  fmt::print("format      {}, {}\n", r["format"].get<std::string>(), size_text(r["bytes"].get<uint64_t>()));
  fmt::print("parameters  {}", grouped(r["parameters"].get<int64_t>()));
  if (!r["weights"].empty())
    fmt::print(" in {} tensors, {} ({})", r["weights"].size(), size_text(r["weight_bytes"].get<uint64_t>()), dtypes);
  fmt::print("\n");
  for (const char* key : {"source", "exported"})
    if (r["metadata"].contains(key)) fmt::print("{:11} {}\n", key, r["metadata"][key].get<std::string>());
}

void print_ports(const nlohmann::json& g) {
  for (const auto& v : g["inputs"]) fmt::print("  input   {}: {}\n", v["name"].get<std::string>(), shape_text(v));
  if (g.contains("states"))
    for (const auto& s : g["states"])
      fmt::print("  state   {}: {}\n", s["name"].get<std::string>(), s["type"].get<std::string>());
  for (const auto& v : g["outputs"]) fmt::print("  output  {}: {}\n", v["name"].get<std::string>(), shape_text(v));
}

void print_ops(const nlohmann::json& r, const char* title) {
  std::vector<std::pair<int, std::string>> ops;
  for (const auto& [name, count] : r["ops"].items()) ops.emplace_back(-count.get<int>(), name);
  std::sort(ops.begin(), ops.end());
  fmt::print("\n{}\n", title);
  for (const auto& [count, name] : ops) fmt::print("  {:6} {}\n", -count, name);
}

void print_unsupported(const nlohmann::json& r) {
  if (r["unsupported"].empty()) {
    fmt::print("\nevery op is supported\n");
    return;
  }
  int nodes = 0;
  for (const auto& [name, count] : r["unsupported"].items()) nodes += count.get<int>();
  fmt::print("\nnot supported: {} ops, {} nodes\n", r["unsupported"].size(), nodes);
  for (const auto& [name, count] : r["unsupported"].items())
    fmt::print("  {:6} {}  ({})\n", count.get<int>(), name,
               fmt::join(r["unsupported_places"][name].get<std::vector<std::string>>(), ", "));
}

void print_text(const nlohmann::json& r) {
  print_head(r);
  for (const auto& g : r["graphs"]) {
    fmt::print("\ngraph {} ({} nodes)\n", g["name"].get<std::string>(), g["nodes"].get<size_t>());
    print_ports(g);
  }
  if (!r["graphs"].empty()) {
    print_ops(r, "ops");
    print_unsupported(r);
  } else if (!r["ops"].empty()) {
    fmt::print("\nno graph yet: the shapes of inputs are not known\n");
    print_ports(r);
    print_ops(r, "calls in the program");
  } else {
    fmt::print("\ntensors (no graph)\n");
    for (const auto& w : r["weights"]) fmt::print("  {} {}\n", w["name"].get<std::string>(), shape_text(w));
  }
  for (const auto& w : r["warnings"]) fmt::print("\nnote: {}\n", w.get<std::string>());
}

}  // namespace

Verb add_inspect(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("inspect", "What a model holds: graphs, ops with counts, unsupported ops, weights")
          ->alias("analyze");
  verb->add_option("model", options->model,
                   "A .onnx, TorchScript .pt, .pt2, .safetensors, state dict, .npy or .npz file; a folder; a package")
      ->required();
  verb->add_option("--input", options->inputs, "NAME=SHAPE[:DTYPE], e.g. x=B,3,224,224, or NAME=VALUE for a scalar");
  verb->add_flag("--json", options->json, "One JSON object on stdout");
  verb->add_flag("--graph", options->graph, "Print the graphs as text, as they are imported");
  verb->footer(
      footer("  godwit inspect model.onnx\n"
             "  godwit inspect scripted.pt --input x=1,3,224,224     TorchScript that does not say its shapes\n"
             "  godwit inspect model.pt2 --json | jq .unsupported\n"
             "  godwit inspect checkpoint.safetensors                names, types and shapes of the tensors\n"));
  return {verb, [options] {
            Loaded loaded = load_for_inspection(options->model, import_options(options->inputs));
            if (options->graph) {
              for (const auto& [name, graph] : loaded.module.graphs) std::cout << ir::print(graph);
            } else if (options->json) {
              std::cout << report(loaded, options->model).dump(2) << "\n";
            } else {
              print_text(report(loaded, options->model));
            }
            return 0;
          }};
}

}  // namespace godwit::app
