#include "parity/test_data.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "parity/process.h"

namespace godwit::parity {
namespace {

namespace fs = std::filesystem;

// A TensorProto: dims 1, data_type 2, name 8, raw_data 9.
std::string proto(const std::string& name, const std::vector<float>& values) {
  std::string out{'\x08', static_cast<char>(values.size()), '\x10', '\x01'};
  if (!name.empty()) out += std::string{'\x42', static_cast<char>(name.size())} + name;
  out += std::string{'\x4a', static_cast<char>(values.size() * 4)};
  return out + std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4);
}

class TestData : public ::testing::Test {
 protected:
  void SetUp() override {
    graph_.add_input("x", {DType::f32, ir::Shape{ir::Dim(2)}});
    graph_.add_input("w", {DType::f32, ir::Shape{ir::Dim(1)}});
    graph_.add_output("y", graph_.inputs[0]);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path, std::ios::binary) << text;
  }
  std::string refusal(const Tensors& constants = {}) {
    try {
      load_test_data(folder_, graph_, constants);
    } catch (const FileError& e) {
      return e.what();
    }
    return "";
  }
  fs::path folder_ = temporary_path(".cases");
  ir::Graph graph_;
};

TEST_F(TestData, NamesCountNotPlaces) {
  write("test_data_set_0/input_0.pb", proto("w", {5}));
  write("test_data_set_0/input_1.pb", proto("x", {1, 2}));
  write("test_data_set_0/output_0.pb", proto("y", {3, 4}));
  const auto goldens = load_test_data(folder_, graph_);
  ASSERT_EQ(goldens.size(), 1u);
  EXPECT_EQ(goldens[0].name, "test_data_set_0");
  EXPECT_EQ(goldens[0].inputs.at("x").number(1), 2);
  EXPECT_EQ(goldens[0].inputs.at("w").number(0), 5);
  EXPECT_EQ(goldens[0].outputs.at("y").number(1), 4);
}

TEST_F(TestData, WithoutNamesPlacesCount) {
  for (int k : {0, 2, 10}) {
    const std::string set = "test_data_set_" + std::to_string(k);
    write(set + "/input_0.pb", proto("", {static_cast<float>(k), 2}));
    write(set + "/input_1.pb", proto("", {5}));
    write(set + "/output_0.pb", proto("", {3, 4}));
  }
  const auto goldens = load_test_data(folder_, graph_);
  ASSERT_EQ(goldens.size(), 3u);
  EXPECT_EQ(goldens[2].name, "test_data_set_10");  // by number, not by letter
  EXPECT_EQ(goldens[2].inputs.at("x").number(0), 10);
  EXPECT_EQ(load_test_data(folder_ / "test_data_set_2", graph_).size(), 1u);
  EXPECT_TRUE(is_test_data(folder_));
  EXPECT_TRUE(is_test_data(folder_ / "test_data_set_2"));
}

TEST_F(TestData, ConstantsOfTheConversionMustAgree) {
  write("test_data_set_0/input_0.pb", proto("x", {1, 2}));
  write("test_data_set_0/input_1.pb", proto("w", {5}));
  write("test_data_set_0/input_2.pb", proto("rate", {8}));
  write("test_data_set_0/output_0.pb", proto("y", {3, 4}));
  const auto goldens = load_test_data(folder_, graph_, {{"rate", Tensor::ints({8})}});
  EXPECT_FALSE(goldens.at(0).inputs.contains("rate"));
  EXPECT_NE(refusal({{"rate", Tensor::ints({16})}}).find("another value"), std::string::npos);
  EXPECT_NE(refusal().find("it holds x, w, rate, but the graph has x, w"), std::string::npos) << refusal();
}

TEST_F(TestData, DamageAndAbsenceAreNamed) {
  fs::create_directories(folder_);
  EXPECT_NE(refusal().find("neither a data set"), std::string::npos);
  write("test_data_set_0/input_0.pb", "no proto");
  write("test_data_set_0/output_0.pb", proto("y", {3, 4}));
  EXPECT_NE(refusal().find("input_0.pb: not a tensor"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace godwit::parity
