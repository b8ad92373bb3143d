#include "base/output_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/mapped_file.h"

namespace godwit {
namespace {

class OutputFileTest : public ::testing::Test {
 protected:
  std::filesystem::path from_ = std::filesystem::temp_directory_path() / ("godwit_from_" + std::to_string(::getpid()));
  std::filesystem::path to_ = std::filesystem::temp_directory_path() / ("godwit_to_" + std::to_string(::getpid()));
  void TearDown() override {
    std::filesystem::remove(from_);
    std::filesystem::remove(to_);
  }
  std::string written() const {
    std::ostringstream text;
    text << std::ifstream(to_, std::ios::binary).rdbuf();
    return text.str();
  }
};

TEST_F(OutputFileTest, CopiesPartsBetweenWrites) {
  std::ofstream(from_) << "0123456789";
  auto source = MappedFile::open(from_);
  const int fd = source->reopen();
  OutputFile file(to_);
  file.write("<");
  const size_t copied = file.copy(fd, 2, 5);
  file.write(std::string_view("23456").substr(copied));  // file systems that cannot copy leave it to us
  file.write(">");
  EXPECT_EQ(file.position(), 7u);
  file.close();
  ::close(fd);
  EXPECT_EQ(written(), "<23456>");
}

TEST_F(OutputFileTest, WhatCannotBeCopiedIsLeftToBeWritten) {
  std::ofstream(from_) << "01";
  OutputFile file(to_);
  EXPECT_EQ(file.copy(-1, 0, 2), 0u);
  EXPECT_EQ(file.position(), 0u);
  auto source = MappedFile::open(from_);
  const int fd = source->reopen();
  EXPECT_EQ(file.copy(fd, 2, 5), 0u);  // behind the end
  ::close(fd);
}

}  // namespace
}  // namespace godwit
