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

TEST_F(MappedFileTest, PlacesOfBytes) {
  write("0123456789");
  auto file = MappedFile::open(path_);
  const MappedFile::Place place = MappedFile::place_of(file->bytes().subspan(3, 4));
  EXPECT_EQ(place.file, file);
  EXPECT_EQ(place.offset, 3u);
  const std::byte elsewhere[4] = {};
  EXPECT_EQ(MappedFile::place_of(elsewhere).file, nullptr);
}

TEST_F(MappedFileTest, ReopensTheFileItselfOnly) {
  write("hello");
  auto file = MappedFile::open(path_);
  const int same = file->reopen();
  EXPECT_GE(same, 0);
  ::close(same);
  const std::filesystem::path other = path_.string() + ".other";
  std::ofstream(other) << "other";
  std::filesystem::rename(other, path_);  // `file` is what had the name before
  EXPECT_EQ(file->reopen(), -1);
}

TEST_F(MappedFileTest, RefusesWhatIsNoFile) {
  EXPECT_THROW(MappedFile::open("/nonexistent/file"), FileError);
  EXPECT_THROW(MappedFile::open("/tmp"), FileError);
  EXPECT_THROW(MappedFile::open("/dev/null"), FileError);
}

}  // namespace
}  // namespace godwit
