// From damaged programs to graphs: what gets past the readers meets frontends, passes and the checks of a package.
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/zip.h"
#include "emit/package.h"
#include "formats/onnx/onnx.h"
#include "formats/pt2/pt2.h"
#include "formats/torchscript/archive.h"
#include "frontends/onnx/importer.h"
#include "frontends/pt2/import.h"
#include "frontends/torchscript/steady.h"
#include "ir/text.h"
#include "ops/hoist.h"
#include "ops/verify.h"
#include "passes/pass.h"
#include "support/zip_writer.h"
#include "targets.h"

namespace godwit::fuzz {
namespace {

using testing::bytes_of;
using testing::zip_of;

// What `convert` does between import and writing: a graph that a package would refuse must not come out.
void convert(frontends::Imported imported) {
  if (!frontends::unsupported_ops(imported.module).empty()) return;
  passes::optimize(imported.module);
  ops::hoist_constants(imported.module);
  for (const auto& [name, graph] : imported.module.graphs) {
    const auto defects = ops::defects(graph);
    require<InternalError>(defects.empty(), "the converted graph is broken: {}", fmt::join(defects, "; "));
    ir::parse_graph(ir::print(graph));
  }
}

std::vector<Sample> onnx_import_samples() {
  const auto read = [](const std::string& text) {
    convert(frontends::onnx::import_model(onnx::read_model(bytes_of(text), nullptr)));
  };
  std::vector<std::string> files;
  for (const char* name : {"branches", "functions", "storage"})
    files.push_back(content(std::string("onnx/") + name + ".onnx"));
  const std::string slice = content("onnx/backend_slice.zip");
  const ZipArchive zip = ZipArchive::of(bytes_of(slice), nullptr, "a sample");
  for (const auto& entry : zip.entries()) {
    if (!entry.name.ends_with("/model.onnx")) continue;
    std::string bytes(zip.read(entry.name).text());
    try {
      read(bytes);
      files.push_back(std::move(bytes));
    } catch (const Error&) {  // asks for the value of an input: nothing to learn from its mutations
    }
  }
  require<InternalError>(files.size() > 150, "only {} samples are imported", files.size());
  return samples_of(std::move(files), read);
}

// The entries of an archive, one of which is damaged.
Sample packed(const std::string& archive, std::string_view part, std::function<void(const std::string&)> read) {
  std::vector<testing::ZipItem> items;
  size_t damaged = 0;
  const ZipArchive zip = ZipArchive::of(bytes_of(archive), nullptr, "a sample");
  for (const auto& entry : zip.entries()) {
    if (entry.name.ends_with(part)) damaged = items.size();
    items.push_back({entry.name, std::string(zip.read(entry.name).text())});
  }
  return {items[damaged].data, [items, damaged, read](const std::string& text) {
            auto changed = items;
            changed[damaged].data = text;
            read(zip_of(changed));
          }};
}

std::vector<Sample> pt2_import_samples() {
  const auto read = [](const std::string& text) {
    const auto owner = std::make_shared<const std::string>(text);
    convert(frontends::import_pt2(formats::pt2::read(bytes_of(*owner), owner, "m.pt2")));
  };
  std::vector<Sample> samples;
  for (const char* name : {"counter", "views", "control", "symbolic", "recurrent", "block", "mixed"})
    samples.push_back(packed(content(std::string("pt2/") + name + ".pt2"), "/models/model.json", read));
  return samples;
}

// The shape of x is the one of the recorded call.
ir::Shape recorded_shape(const std::string& name) {
  const Json calls = parse_json(content("torchscript/" + name + ".json"), name);
  return ir::dims(calls.at(0).at("inputs").at(0).at("shape").get<std::vector<int64_t>>());
}

std::vector<Sample> torchscript_import_samples() {
  std::vector<Sample> samples;
  for (const char* name : {"branching", "control", "frozen", "scripted_conv", "stateful", "traced_conv", "writes"}) {
    frontends::ImportOptions options;
    options.inputs["x"].shape = recorded_shape(name);
    const auto read = [options](const std::string& text) {
      auto archive = formats::torchscript::Archive::of(ZipArchive::of(bytes_of(text), nullptr, "m.pt"));
      convert(frontends::torchscript::import_steady(archive, options));
    };
    const std::string archive = content(std::string("torchscript/") + name + ".pt");
    for (const char* part : {"code/__torch__.py", "data.pkl", "constants.pkl"})
      samples.push_back(packed(archive, part, read));
  }
  return samples;
}

std::vector<Sample> package_samples() {
  const std::string description = R"({"godwit": 1, "graphs": ["main"], "metadata": {"source": "m.onnx"}})";
  const std::string graph =
      "graph main(x: f32[B, 4], n: i64[]) -> (y = %3, z = %5)\n"
      "  weight @w: f32[3, 4]\n"
      "  state h: f32[B, 3] -> %3\n"
      "  %1 = linear %x, @w  : f32[B, 3]\n"
      "  %2 = add %1, $h  : f32[B, 3]\n"
      "  %3 = softmax %2 axis=-1  : f32[B, 3]\n"
      "  %4 = reshape %3 shape=[3*B]  : f32[3*B]\n"
      "  %5 = slice %4 axes=[0] starts=[0] stops=[B]  : f32[B]\n"
      "end\n";
  const std::map<std::string, Tensor> weights = {{"w", Tensor::zeros(DType::f32, {3, 4})}};
  const auto with = [weights](const std::string& json, const std::string& text) {
    emit::assemble_package(
        json, [&](const std::string&) { return text; }, weights, "a package");
  };
  return {{graph, [=](const std::string& text) { with(description, text); }},
          {description, [=](const std::string& text) { with(text, graph); }}};
}

}  // namespace

std::vector<Target> import_targets() {
  return {{"onnx_import", onnx_import_samples},
          {"pt2_import", pt2_import_samples},
          {"torchscript_import", torchscript_import_samples},
          {"package", package_samples}};
}

}  // namespace godwit::fuzz
