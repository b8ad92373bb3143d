// Formats that are not torch's: zip, safetensors, NumPy, ONNX, the text of graphs.
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "base/zip.h"
#include "formats/npy.h"
#include "formats/onnx/onnx.h"
#include "formats/safetensors.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "support/zip_writer.h"
#include "targets.h"

namespace godwit::fuzz {

std::string content(const std::string& path) {
  std::ifstream file("tests/data/" + path, std::ios::binary);
  if (!file) throw std::runtime_error("tests/data/" + path + " is missing (run in the project's folder)");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Sample> samples_of(std::vector<std::string> files, std::function<void(const std::string&)> read) {
  std::vector<Sample> out;
  for (std::string& bytes : files) out.push_back({std::move(bytes), read});
  return out;
}

std::vector<Target> targets() {
  std::vector<Target> all = format_targets();
  for (auto family : {torch_targets, import_targets})
    for (const Target& t : family()) all.push_back(t);
  return all;
}

namespace {

using testing::bytes_of;
using testing::zip_of;

std::shared_ptr<const std::string> owned(const std::string& text) { return std::make_shared<const std::string>(text); }

// Every element is touched: a view that leaves its bytes is seen by the address sanitizer.
void touch(const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, t] : tensors)
    if (t.size() > 0 && t.size() < 1'000'000) t.contiguous();
}

std::vector<Sample> zip_samples() {
  const auto read = [](const std::string& text) {
    const ZipArchive zip = ZipArchive::of(bytes_of(text), nullptr, "x.zip");
    for (const auto& entry : zip.entries()) zip.read(entry.name);
  };
  return samples_of({zip_of({{"m/data.pkl", "abcdef"}, {"m/code.py", std::string(200, 'q') + "r", true}}),
                     zip_of({{"a", ""}, {"b", std::string(5000, 'x'), true}, {"m/version", "3\n"}})},
                    read);
}

std::string safetensors_file(const std::string& header, size_t data) {
  std::string out;
  testing::put(out, header.size(), 8);
  return out + header + std::string(data, '\x3f');
}

std::vector<Sample> safetensors_samples() {
  const auto read = [](const std::string& text) {
    const auto owner = owned(text);
    touch(formats::parse_safetensors(bytes_of(*owner), owner, "x.safetensors").tensors);
  };
  return samples_of(
      {safetensors_file(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                        R"("b":{"dtype":"I64","shape":[],"data_offsets":[24,32]}})",
                        32),
       safetensors_file(R"({"__metadata__":{"godwit.dtypes":"{\"b\":\"i4\"}"},"b":{"dtype":"U8","shape":[5],)"
                        R"("data_offsets":[0,5]},"c":{"dtype":"F16","shape":[1,2],"data_offsets":[5,9]}})",
                        9)},
      read);
}

std::string npy_file(const std::string& header, size_t data) {
  std::string out("\x93NUMPY\1\0", 8);
  testing::put(out, header.size(), 2);
  return out + header + std::string(data, 'x');
}

std::vector<Sample> npy_samples() {
  const auto read = [](const std::string& text) {
    const auto owner = owned(text);
    touch({{"x", formats::parse_npy(bytes_of(*owner), owner, "x.npy")}});
  };
  return samples_of({npy_file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", 24),
                     npy_file("{'descr': '>i8', 'fortran_order': False, 'shape': (2,), }\n", 16),
                     npy_file("{'descr': '|b1', 'fortran_order': False, 'shape': (), }\n", 1)},
                    read);
}

std::vector<Sample> npz_samples() {
  const auto read = [](const std::string& text) {
    const auto owner = owned(text);
    touch(formats::parse_npz(bytes_of(*owner), owner, "x.npz"));
  };
  const std::string x = npy_file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", 24);
  return samples_of({zip_of({{"x.npy", x}, {"y/z.npy", x, true}})}, read);
}

std::vector<Sample> onnx_samples() {
  std::vector<std::string> files;
  for (const char* name : {"branches", "functions", "storage"})
    files.push_back(content(std::string("onnx/") + name + ".onnx"));
  const auto read = [](const std::string& text) { onnx::read_model(bytes_of(text), nullptr, "tests/data/onnx"); };
  auto samples = samples_of(std::move(files), read);
  samples.push_back({content("onnx/external.onnx"), read});
  return samples;
}

constexpr const char* graph_text = R"(graph main(input: f32[B, 576], "odd": i64[]) -> (output = %4, "s N" = $h)
  state h: f32[2, B] -> %0 = f32[1]{0.5}
  weight @"0.w": f32[258, 1]
  %0 as p = pad %input low=[0, 0] high=[0, B + 64] mode="r\x41\"e"  : f32[B, 640]   # a.py:41 | enc
  %1, %2 = topk %0, _, @"0.w" k=max(B, (3*B)//(4)) sorted=false  : f32[2*B + 1], i64[?]
  %4 = loop _, %odd, $h carried=1  : seq(f32[N]) {
    (%6 as i: i64[], %7: f32[B])
    %8 = constant value=c64[1]{0x0000803f00000000}  : c64[1]
    yield %8, %7
  }
end
)";

std::vector<Sample> graph_samples() {
  return samples_of({graph_text}, [](const std::string& text) {
    const ir::Graph g = ir::parse_graph(text);
    ir::defects(g);
    ir::parse_graph(ir::print(g));
  });
}

}  // namespace

std::vector<Target> format_targets() {
  return {{"zip", zip_samples},   {"safetensors", safetensors_samples}, {"npy", npy_samples}, {"npz", npz_samples},
          {"onnx", onnx_samples}, {"graph_text", graph_samples}};
}

}  // namespace godwit::fuzz
