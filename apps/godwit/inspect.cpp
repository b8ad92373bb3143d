// godwit inspect: what a model holds, and what is not supported.
#include <fmt/format.h>

#include <algorithm>
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

nlohmann::json report(const Loaded& loaded) {
  nlohmann::json ops = nlohmann::json::object(), unsupported = nlohmann::json::object(),
                 places = nlohmann::json::object();
  auto graphs = nlohmann::json::array();
  for (const auto& [name, graph] : loaded.module.graphs) graphs.push_back(graph_json(graph, ops));
  for (const auto& op : frontends::unsupported_ops(loaded.module)) {
    unsupported[op.name] = op.count;
    places[op.name] = op.places;
  }
  nlohmann::json out{{"format", loaded.format},
                     {"graphs", graphs},
                     {"ops", ops},
                     {"unsupported", unsupported},
                     {"unsupported_places", places},
                     {"parameters", parameter_count(loaded.module)},
                     {"source_nodes", loaded.source_nodes},
                     {"weights", weights_json(loaded.module)},
                     {"warnings", loaded.warnings}};
  out["inputs"] = graphs.empty() ? nlohmann::json::array() : graphs.front()["inputs"];
  out["outputs"] = graphs.empty() ? nlohmann::json::array() : graphs.front()["outputs"];
  return out;
}

std::string shape_text(const nlohmann::json& value) {
  if (value["shape"].is_null()) return value["dtype"].get<std::string>() + "[?]";
  std::string out = value["dtype"].get<std::string>() + "[";
  for (size_t i = 0; i < value["shape"].size(); ++i) {
    const auto& d = value["shape"][i];
    out += (i ? ", " : "") + (d.is_string() ? d.get<std::string>() : d.dump());
  }
  return out + "]";
}

void print_text(const nlohmann::json& r) {
  fmt::print("format      {}\nparameters  {}\n", r["format"].get<std::string>(), r["parameters"].get<int64_t>());
  for (const auto& g : r["graphs"]) {
    fmt::print("\ngraph {} ({} nodes)\n", g["name"].get<std::string>(), g["nodes"].get<size_t>());
    for (const auto& v : g["inputs"]) fmt::print("  input   {}: {}\n", v["name"].get<std::string>(), shape_text(v));
    for (const auto& s : g["states"])
      fmt::print("  state   {}: {}\n", s["name"].get<std::string>(), s["type"].get<std::string>());
    for (const auto& v : g["outputs"]) fmt::print("  output  {}: {}\n", v["name"].get<std::string>(), shape_text(v));
  }
  std::vector<std::pair<int, std::string>> ops;
  for (const auto& [name, count] : r["ops"].items()) ops.emplace_back(-count.get<int>(), name);
  std::sort(ops.begin(), ops.end());
  fmt::print("\nops\n");
  for (const auto& [count, name] : ops) fmt::print("  {:6} {}\n", -count, name);
  if (r["ops"].empty()) {
    fmt::print("\ntensors\n");
    for (const auto& w : r["weights"]) fmt::print("  {} {}\n", w["name"].get<std::string>(), shape_text(w));
  }
  if (!r["unsupported"].empty()) fmt::print("\nnot supported\n");
  for (const auto& [name, count] : r["unsupported"].items())
    fmt::print("  {:6} {}  ({})\n", count.get<int>(), name,
               fmt::join(r["unsupported_places"][name].get<std::vector<std::string>>(), ", "));
  for (const auto& w : r["warnings"]) fmt::print("\nwarning: {}\n", w.get<std::string>());
}

}  // namespace

Verb add_inspect(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("inspect", "What a model holds: graphs, ops with counts, unsupported ops, weights")
          ->alias("analyze");
  verb->add_option("model", options->model, "A .onnx, TorchScript .pt, .pt2 or .safetensors file, or a package")
      ->required();
  verb->add_option("--input", options->inputs, "NAME=SHAPE[:DTYPE], e.g. x=B,3,224,224, or NAME=VALUE for a scalar");
  verb->add_flag("--json", options->json, "One JSON object on stdout");
  verb->add_flag("--graph", options->graph, "Print the graphs as text, as they are imported");
  return {verb, [options] {
            Loaded loaded = load_for_inspection(options->model, import_options(options->inputs));
            if (options->graph) {
              for (const auto& [name, graph] : loaded.module.graphs) std::cout << ir::print(graph);
            } else if (options->json) {
              std::cout << report(loaded).dump(2) << "\n";
            } else {
              print_text(report(loaded));
            }
            return 0;
          }};
}

}  // namespace godwit::app
