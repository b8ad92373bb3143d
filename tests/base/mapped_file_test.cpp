#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"

namespace godwit {
namespace {

class MappedFileTest : public ::testing::Test {
 protected:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("godwit_mapped_" + std::to_string(::getpid()));
  void write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  void TearDown() override { std::filesystem::remove(path_); }
};

TEST_F(MappedFileTest, MapsBytes) {
  write("hello");
  auto file = MappedFile::open(path_);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()), "hello");
  EXPECT_EQ(file->path(), path_);
}

TEST_F(MappedFileTest, EmptyFileHasNoBytes) {
  write("");
  EXPECT_TRUE(MappedFile::open(path_)->bytes().empty());
}

TEST_F(MappedFileTest, ReleasedPagesReadTheSame) {
  write(std::string(100'000, 'q'));
  auto file = MappedFile::open(path_);
  file->release(file->bytes());
  for (std::byte b : file->bytes()) ASSERT_EQ(b, std::byte{'q'});
}

TEST_F(MappedFileTest, RefusesWhatIsNoFile) {
  EXPECT_THROW(MappedFile::open("/nonexistent/file"), FileError);
  EXPECT_THROW(MappedFile::open("/tmp"), FileError);
  EXPECT_THROW(MappedFile::open("/dev/null"), FileError);
}

}  // namespace
}  // namespace godwit
