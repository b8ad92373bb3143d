#include "formats/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"

namespace godwit::formats {
namespace {

namespace fs = std::filesystem;

class SafetensorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("godwit_safetensors_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string content(const fs::path& p) {
    std::ifstream in(p, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const fs::path& p, const std::string& text) { std::ofstream(p, std::ios::binary) << text; }

  fs::path folder_;
};

std::string file_of(const std::string& header, size_t data = 64) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i));
  return out + header + std::string(data, 'x');
}

Safetensors parse(const std::string& text) {
  auto copy = std::make_shared<std::string>(text);
  return parse_safetensors(std::as_bytes(std::span(copy->data(), copy->size())), copy, "a test");
}

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const FileError& e) {
    return e.what();
  }
  return "accepted";
}

void expect_refusal(const std::string& text, const std::string& reason) {
  const std::string told = refusal(text);
  EXPECT_NE(told.find(reason), std::string::npos) << told;
}

TEST_F(SafetensorsTest, ReadsWhatItWrites) {
  std::map<std::string, Tensor> tensors;
  tensors["a"] = Tensor::of<float>(DType::f32, {2, 3}, {1, 2, 3, 4, 5, 6});
  tensors["b.flag"] = Tensor::of<uint8_t>(DType::boolean, {3}, {1, 0, 1});
  tensors["half"] = Tensor::scalar(DType::bf16, 1.5);
  tensors["empty"] = Tensor::zeros(DType::i64, {0, 7});
  tensors["four bits"] = Tensor::of<uint8_t>(DType::i4, {2}, {7, 0xf8});
  Tensor turned = tensors["a"];
  turned.shape = {3, 2};
  turned.strides = {1, 3};
  tensors["turned"] = turned;
  write_safetensors(folder_ / "t.safetensors", tensors, {{"steps", "3"}});

  Safetensors back = read_safetensors(folder_ / "t.safetensors");
  ASSERT_EQ(back.tensors.size(), tensors.size());
  EXPECT_EQ(back.metadata, (std::map<std::string, std::string>{{"steps", "3"}}));
  for (const auto& [name, t] : tensors) {
    const Tensor& r = back.tensors.at(name);
    EXPECT_EQ(describe(r), describe(t)) << name;
    const Tensor expected = t.contiguous();
    EXPECT_TRUE(std::equal(r.bytes().begin(), r.bytes().end(), expected.bytes().begin())) << name;
  }
  EXPECT_EQ(back.tensors.at("turned").number(1), 4);
  const std::string bytes = content(folder_ / "t.safetensors");
  EXPECT_TRUE(looks_like_safetensors(std::as_bytes(std::span(bytes.data(), bytes.size()))));
}

TEST_F(SafetensorsTest, LargeTransposedMatricesAreWrittenInParts) {
  const int64_t rows = 1700, columns = 2100;  // 14 MB: two buffers
  std::vector<float> values(static_cast<size_t>(rows * columns));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  Tensor t = Tensor::of<float>(DType::f32, {columns, rows}, values);
  t.shape = {rows, columns};
  t.strides = {1, rows};
  write_safetensors(folder_ / "t.safetensors", {{"t", t}});
  const Tensor back = read_safetensors(folder_ / "t.safetensors").tensors.at("t");
  const auto got = back.values<float>();
  int64_t wrong = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      wrong += got[static_cast<size_t>(r * columns + c)] != values[static_cast<size_t>(c * rows + r)];
  EXPECT_EQ(wrong, 0);
}

// Weights of a mapped file go from file to file; also where another file has its name by now.
TEST_F(SafetensorsTest, TensorsOfMappedFilesAreCopied) {
  std::vector<float> values(300'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const std::map<std::string, Tensor> tensors = {{"a", Tensor::of<float>(DType::f32, {300, 1000}, values)},
                                                 {"b", Tensor::of<int64_t>(DType::i64, {2}, {7, 8})}};
  const fs::path first = folder_ / "first", second = folder_ / "second", copy = folder_ / "copy";
  write_safetensors(first, tensors, {});
  const auto mapped = read_safetensors(first);
  for (const bool is_replaced : {false, true}) {
    if (is_replaced) {
      std::ofstream(second) << "something else";
      fs::rename(second, first);
    }
    write_safetensors(copy, mapped.tensors, {});
    const auto copied = read_safetensors(copy);
    for (const auto& [name, t] : tensors)
      EXPECT_TRUE(std::ranges::equal(copied.tensors.at(name).bytes(), t.bytes())) << name << is_replaced;
  }
}

TEST_F(SafetensorsTest, CannotHoldEverything) {
  EXPECT_THROW(write_safetensors(folder_ / "t", {{"c", Tensor::zeros(DType::c128, {1})}}), UsageError);
  EXPECT_THROW(write_safetensors(folder_ / "t", {{"__metadata__", Tensor::zeros(DType::f32, {1})}}), UsageError);
  EXPECT_THROW(write_safetensors(folder_ / "t", {{"\xff", Tensor::zeros(DType::f32, {1})}}), UsageError);
}

TEST_F(SafetensorsTest, ReadsShards) {
  write_safetensors(folder_ / "1.safetensors", {{"a", Tensor::scalar(DType::f32, 1)}});
  write_safetensors(folder_ / "2.safetensors",
                    {{"b", Tensor::scalar(DType::f32, 2)}, {"c", Tensor::scalar(DType::f32, 3)}});
  const fs::path index = folder_ / "model.safetensors.index.json";
  put(index, R"({"metadata": {}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}})");
  EXPECT_EQ(read_safetensors(folder_).tensors.at("c").number(0), 3);
  for (const char* bad : {R"({"weight_map": {"a": "../1.safetensors"}})", R"({"weight_map": {"x": "1.safetensors"}})",
                          R"({"weight_map": {"x": "absent.safetensors"}})", R"({"weight_map": []})", "{}"}) {
    put(index, bad);
    EXPECT_THROW(read_safetensors(index), FileError) << bad;
  }
}

TEST_F(SafetensorsTest, RefusesDamage) {
  expect_refusal("abc", "3 bytes");
  expect_refusal(std::string(8, '\xff'), "100 MB");
  expect_refusal(file_of("{}").substr(0, 9), "the header has 2 bytes");
  expect_refusal(file_of("{]"), "no valid JSON");
  expect_refusal(file_of(std::string(1000, '[')), "deeper");
  auto one = [](const char* dtype, const char* shape, const char* offsets) {
    return file_of(
        fmt::format(R"({{"t": {{"dtype": "{}", "shape": {}, "data_offsets": {}}}}})", dtype, shape, offsets));
  };
  EXPECT_EQ(refusal(one("F32", "[4]", "[0, 16]")), "accepted");
  expect_refusal(one("F99", "[4]", "[0, 16]"), "F99");
  expect_refusal(one("F32", "[4]", "[0, 12]"), "12 bytes");
  expect_refusal(one("F32", "[17]", "[0, 68]"), "leave the data");
  expect_refusal(one("F32", "[4]", "[16, 0]"), "leave the data");
  expect_refusal(one("F32", "[-4]", "[0, 16]"), "negative");
  expect_refusal(one("F32", "[4294967296, 4294967296, 4294967296]", "[0, 0]"), "too large");
  expect_refusal(one("F32", "[1.5]", "[0, 4]"), "integer");
  expect_refusal(one("F32", "[18446744073709551615]", "[0, 4]"), "out of range");
  expect_refusal(file_of(R"({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
                             "b": {"dtype": "U8", "shape": [4], "data_offsets": [3, 7]}})"),
                 "a and b overlap");
  expect_refusal(file_of(R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                             "a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}})"),
                 "twice");
}

}  // namespace
}  // namespace godwit::formats
