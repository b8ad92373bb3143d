#include "parity/reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "parity/tensor_file.h"

namespace godwit::parity {
namespace {

namespace fs = std::filesystem;

// A reference script in the shell's language instead of Python's: it copies its inputs to its outputs.
class ReferenceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = temporary_path(".tools");
    fs::create_directories(folder_ / "reference");
    std::ofstream(folder_ / "reference" / "run.py") << R"script(
[ -s "$1" ] || { echo "empty model" >&2; exit 1; }
echo '{"ok": true, "name": "copy", "version": "1.2"}'
while read -r line; do
  case "$line" in
    *'"do":"run"'*)
      from=$(echo "$line" | sed 's/.*"inputs":"\([^"]*\)".*/\1/')
      to=$(echo "$line" | sed 's/.*"output":"\([^"]*\)".*/\1/')
      cp "$from" "$to"
      echo '{"ok": true, "outputs": {"x": {"layer": false}, "h": {"layer": true}}}' ;;
    *'"do":"time"'*) echo '{"ok": true, "ms": 2.5, "peak_memory_bytes": 77}' ;;
    *) echo '{"ok": true}' ;;
  esac
done)script";
    std::ofstream(folder_ / "model") << "x";
    setenv("GODWIT_TOOLS", folder_.c_str(), 1);
    setenv("GODWIT_PYTHON", "sh", 1);
  }
  void TearDown() override {
    unsetenv("GODWIT_TOOLS");
    unsetenv("GODWIT_PYTHON");
    fs::remove_all(folder_);
  }
  fs::path folder_;
};

TEST_F(ReferenceTest, OutputsAndLayersComeBackApart) {
  Reference reference(folder_ / "model", 1, true);
  EXPECT_EQ(reference.name(), "copy");
  EXPECT_EQ(reference.version(), "1.2");
  Golden golden = reference.run({{"x", Tensor::ints({1, 2})}, {"h", Tensor::ints({3})}});
  EXPECT_EQ(golden.outputs.at("x").integer(1), 2);
  EXPECT_EQ(golden.layers.at("h").integer(0), 3);
  EXPECT_EQ(golden.outputs.size(), 1u);
}

TEST_F(ReferenceTest, MeasuresThePeer) {
  Reference reference(folder_ / "model", 1);
  reference.set_inputs({{"x", Tensor::ints({1})}});
  EXPECT_DOUBLE_EQ(reference.run_ms(), 2.5);
  EXPECT_EQ(reference.peak_memory_bytes(), 77);
}

TEST_F(ReferenceTest, AModelThatDoesNotLoadIsReportedWithTheScriptsWords) {
  std::ofstream(folder_ / "empty").flush();
  try {
    Reference reference(folder_ / "empty", 1);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("empty model"), std::string::npos);
  }
  EXPECT_THROW(Reference(folder_ / "absent", 1), UsageError);
}

TEST(TensorFile, RoundTrip) {
  fs::path path = temporary_path(".safetensors");
  TensorFile file;
  file.tensors["a"] = Tensor::of(DType::f32, {2, 2}, std::vector<float>{1, 2, 3, 4});
  file.tensors["b"] = Tensor::scalar(DType::i64, 7);
  file.tensors["none"] = Tensor::zeros(DType::f16, {0, 3});
  file.metadata["steps"] = "2";
  save_tensors(path, file);
  TensorFile back = load_tensors(path);
  fs::remove(path);
  EXPECT_EQ(back.metadata.at("steps"), "2");
  EXPECT_EQ(back.tensors.at("a").number(3), 4);
  EXPECT_EQ(back.tensors.at("b").integer(0), 7);
  EXPECT_EQ(back.tensors.at("none").shape, (std::vector<int64_t>{0, 3}));
}

TEST(TensorFile, DamageIsTheFilesFault) {
  fs::path path = temporary_path(".safetensors");
  auto refused = [&](const std::string& header) {
    std::ofstream out(path, std::ios::binary);
    uint64_t length = header.size();
    out.write(reinterpret_cast<const char*>(&length), 8) << header << "1234";
    out.close();
    EXPECT_THROW(load_tensors(path), FileError) << header;
  };
  refused("{");
  refused(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}})");
  refused(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}})");
  refused(R"({"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 4]}})");
  refused(R"({"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}})");
  fs::remove(path);
  EXPECT_THROW(load_tensors(path), FileError);
}

TEST(Golden, RecordedGoldensOfSileroLoad) {
  for (const char* path :
       {"tests/data/parity/silero_jit_16k.safetensors", "tests/data/parity/silero_jit_8k.safetensors"}) {
    Golden golden = load_golden(path);
    EXPECT_EQ(golden.steps, 20);
    EXPECT_EQ(golden.outputs.at("output").shape, (std::vector<int64_t>{20, 1, 1}));
  }
}

}  // namespace
}  // namespace godwit::parity
