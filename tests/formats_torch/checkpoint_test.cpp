#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "formats/detect.h"
#include "formats/torch_zip.h"
#include "support/zip_writer.h"

namespace godwit::formats {
namespace {

const std::string kFolder = "tests/data/torch_checkpoints/";

class Layout : public ::testing::TestWithParam<std::string> {};

TEST_P(Layout, ReadsTensorsWithStridesAndSharedStorages) {
  const TorchCheckpoint c = read_torch_checkpoint(kFolder + GetParam());
  EXPECT_EQ(c.wrapped_in, "state_dict");
  EXPECT_EQ(c.ignored, (std::vector<std::string>{"epoch", "optimizer"}));
  EXPECT_EQ(c.tensors.size(), 10u);
  const Tensor& base = c.tensors.at("base");
  EXPECT_EQ(base.shape, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(base.number(11), 11);
  EXPECT_EQ(c.tensors.at("tied").data, base.data);
  EXPECT_EQ(c.tensors.at("row").data, base.data + 16);
  const Tensor slice = c.tensors.at("slice").contiguous();
  EXPECT_EQ(slice.shape, (std::vector<int64_t>{2, 3}));
  const float expected[] = {1, 5, 9, 2, 6, 10};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(slice.number(i), expected[i]);
  EXPECT_EQ(c.tensors.at("parameter").number(1), -2.5);
  EXPECT_EQ(c.tensors.at("half").number(1), 65504);
  EXPECT_EQ(c.tensors.at("bfloat").dtype, DType::bf16);
  EXPECT_EQ(c.tensors.at("bfloat").number(1), 3);
  EXPECT_EQ(c.tensors.at("count").integer(0), 7);
  EXPECT_EQ(c.tensors.at("empty").shape, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(c.tensors.at("mask").dtype, DType::boolean);
}

INSTANTIATE_TEST_SUITE_P(Both, Layout, ::testing::Values("zip.pt", "legacy.pt"),
                         [](const auto& info) { return info.param.substr(0, info.param.find('.')); });

TEST(TorchCheckpoint, JoinsNestedKeys) {
  const TorchCheckpoint c = read_torch_checkpoint(kFolder + "nested.pt");
  ASSERT_EQ(c.tensors.size(), 3u);
  EXPECT_EQ(c.tensors.at("b.1.c").dtype, DType::i32);
  EXPECT_EQ(c.tensors.at("b.0").data, c.tensors.at("a.w").data);
}

std::string message_of(const std::string& pickle) {
  const std::string text = testing::zip_of({{"m/data.pkl", pickle}, {"m/data/0", std::string(16, '\0')}});
  try {
    read_torch_zip(ZipArchive::of(testing::bytes_of(text), nullptr, "m.pt"));
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

// {"w": _rebuild_tensor_v2(storage of 4 floats, offset, (size,), (stride,))}
std::string pickled(int offset, int size, int stride, int count = 4,
                    const std::string& type = "torch\nFloatStorage\n") {
  std::string out = "\x80\x02}X";
  testing::put(out, 1, 4);
  out += "wctorch._utils\n_rebuild_tensor_v2\n((X";
  testing::put(out, 7, 4);
  out += "storagec" + type + "X";
  testing::put(out, 1, 4);
  out += "0X";
  testing::put(out, 3, 4);
  out += "cpuJ";
  testing::put(out, static_cast<uint64_t>(count), 4);
  out += "tQJ";
  testing::put(out, static_cast<uint64_t>(offset), 4);
  out += "J";
  testing::put(out, static_cast<uint64_t>(size), 4);
  out += "\x85J";
  testing::put(out, static_cast<uint64_t>(stride), 4);
  out +=
      "\x85\x89"
      "ccollections\nOrderedDict\n)RtRs.";
  return out;
}

TEST(TorchCheckpoint, BoundsEveryView) {
  EXPECT_EQ(message_of(pickled(0, 4, 1)), "");
  EXPECT_EQ(message_of(pickled(1, 2, 2)), "");
  EXPECT_NE(message_of(pickled(1, 4, 1)).find("reaches element 4 of a storage of 4"), std::string::npos);
  EXPECT_NE(message_of(pickled(0, 3, 2)), "");
  EXPECT_NE(message_of(pickled(-1, 2, 1)), "");
  EXPECT_NE(message_of(pickled(0, -2, 1)), "");
  EXPECT_NE(message_of(pickled(0, 2'000'000'000, 0)), "");
  EXPECT_NE(message_of(pickled(0, 4, 1, 5)).find("holds 16 bytes"), std::string::npos);
  EXPECT_NE(message_of(pickled(0, 4, 1, 4, "torch\nQInt8Storage\n")).find("QInt8Storage"), std::string::npos);
  EXPECT_NE(message_of(pickled(0, 4, 1, 4, "builtins\neval\n")).find("builtins.eval"), std::string::npos);
}

class DetectTest : public ::testing::Test {
 protected:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("godwit_detect_" + std::to_string(::getpid()));
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Format of(const std::string& bytes) {
    std::ofstream(folder_ / "file", std::ios::binary) << bytes;
    return detect(folder_ / "file");
  }
};

TEST_F(DetectTest, LooksAtTheBytes) {
  EXPECT_EQ(detect(kFolder + "zip.pt"), Format::torch_zip);
  EXPECT_EQ(detect(kFolder + "legacy.pt"), Format::torch_legacy);
  EXPECT_EQ(detect("tests/data/torchscript/control.pt"), Format::torchscript);
  EXPECT_EQ(of(std::string("GGUF\3\0\0\0", 8)), Format::gguf);
  EXPECT_EQ(of("\x93NUMPY\1"), Format::npy);
  EXPECT_EQ(of(testing::zip_of({{"a.npy", "x"}, {"b.npy", "y"}})), Format::npz);
  EXPECT_EQ(of(testing::zip_of({{"m/archive_format", "pt2"}, {"m/models/model.json", "{}"}})), Format::pt2);
  EXPECT_EQ(of(testing::zip_of({{"a.txt", "x"}})), Format::unknown);
  EXPECT_EQ(of(std::string("\2\0\0\0\0\0\0\0{}", 10)), Format::safetensors);
  EXPECT_EQ(of("hello"), Format::unknown);
  EXPECT_EQ(of(""), Format::unknown);
  EXPECT_THROW(of(std::string("PK\3\4") + std::string(40, 'x')), FileError);
}

TEST_F(DetectTest, Folders) {
  EXPECT_EQ(detect(folder_), Format::unknown);
  std::ofstream(folder_ / "model.safetensors.index.json") << "{}";
  EXPECT_EQ(detect(folder_), Format::sharded_folder);
  std::ofstream(folder_ / "config.json") << "{}";
  EXPECT_EQ(detect(folder_), Format::config_folder);
  std::ofstream(folder_ / "model.json") << "{}";
  EXPECT_EQ(detect(folder_), Format::package_folder);
}

}  // namespace
}  // namespace godwit::formats
