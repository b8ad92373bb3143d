#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "formats/onnx/onnx.h"

namespace godwit::onnx {
namespace {

const std::filesystem::path data = "tests/data/onnx";

const NamedTensor& initializer(const Model& model, std::string_view name) {
  for (const NamedTensor& t : model.graph.initializers)
    if (t.name == name) return t;
  throw std::out_of_range(std::string(name));
}

void append(std::vector<std::byte>& out, std::initializer_list<int> bytes) {
  for (int b : bytes) out.push_back(static_cast<std::byte>(b));
}

TEST(OnnxReader, TypedFieldsAndRawBytesAgree) {
  Model model = read_model(data / "storage.onnx");
  size_t compared = 0;
  for (const NamedTensor& typed : model.graph.initializers) {
    const size_t at = typed.name.find("_typed");
    if (at == std::string::npos) continue;
    const NamedTensor& raw = initializer(model, typed.name.substr(0, at) + "_raw");
    ASSERT_EQ(typed.tensor.dtype, raw.tensor.dtype) << typed.name;
    auto a = typed.tensor.bytes(), b = raw.tensor.bytes();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << typed.name;
    ++compared;
  }
  EXPECT_EQ(compared, 25u);
}

TEST(OnnxReader, ValuesOfEveryNumericType) {
  Model model = read_model(data / "storage.onnx");
  for (const char* name : {"FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT32", "UINT64", "INT4", "UINT2", "UINT4"}) {
    const Tensor& t = initializer(model, std::string(name) + "_raw").tensor;
    const double expected[] = {3, 0, 1, 1, 2};
    for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(t.number(i), expected[i]) << name << " " << i;
  }
  const Tensor& crumbs = initializer(model, "INT2_typed").tensor;
  EXPECT_EQ(static_cast<int8_t>(crumbs.bytes()[2]), -1);
  EXPECT_EQ(static_cast<int8_t>(crumbs.bytes()[3]), -2);
  EXPECT_EQ(initializer(model, "text").strings[1], "two");
}

TEST(OnnxReader, SparseTensorsAreExpanded) {
  Model model = read_model(data / "storage.onnx");
  for (const char* name : {"linear", "coordinates"}) {
    const Tensor& t = initializer(model, name).tensor;
    EXPECT_EQ(t.shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(t.number(1), 5);
    EXPECT_EQ(t.number(4), 7);
    EXPECT_EQ(t.number(0), 0);
  }
}

TEST(OnnxReader, ExternalDataIsMapped) {
  const Tensor t = initializer(read_model(data / "external.onnx"), "w").tensor;
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(t.number(i), static_cast<double>(i + 1));
}

TEST(OnnxReader, ExternalDataStaysInTheFolder) {
  for (const char* name : {"external_escapes.onnx", "external_missing.onnx", "external_beyond.onnx"})
    EXPECT_THROW(read_model(data / name), FileError) << name;
}

TEST(OnnxReader, Subgraphs) {
  Model model = read_model(data / "branches.onnx");
  ASSERT_EQ(model.graph.nodes.size(), 2u);
  EXPECT_EQ(model.graph.nodes[0].find("then_branch")->graph->nodes.at(0).op, "Neg");
  EXPECT_EQ(node_count(model), 7u);
  EXPECT_EQ(model.opsets.at(""), 20);
}

TEST(OnnxReader, DepthIsBounded) {
  // A graph in an attribute of a node of a graph, 200 deep.
  std::vector<std::byte> bytes;
  auto wrap = [&](int key) {
    std::vector<std::byte> out;
    append(out, {key});
    size_t n = bytes.size();
    while (n >= 0x80) append(out, {static_cast<int>(n & 0x7f) | 0x80}), n >>= 7;
    append(out, {static_cast<int>(n)});
    out.insert(out.end(), bytes.begin(), bytes.end());
    bytes = std::move(out);
  };
  for (int i = 0; i < 200; ++i) wrap(6 << 3 | 2), wrap(5 << 3 | 2), wrap(1 << 3 | 2);
  wrap(7 << 3 | 2);
  EXPECT_THROW(read_model(bytes, nullptr), FileError);
}

TEST(OnnxReader, SizesAreCheckedBeforeAllocating) {
  std::vector<std::byte> bytes;
  append(bytes, {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x10, 1, 0x4a, 4, 0, 0, 0, 0});  // dims [2^42], 4 bytes
  EXPECT_THROW(read_tensor(bytes), FileError);
  bytes.clear();
  append(bytes, {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x10, 1});  // no data at all
  EXPECT_THROW(read_tensor(bytes), FileError);
  bytes.clear();
  append(bytes, {0x08, 1, 0x10, 99});  // no such type
  EXPECT_THROW(read_tensor(bytes), FileError);
}

}  // namespace
}  // namespace godwit::onnx
