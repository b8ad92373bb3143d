#include "base/atomic_output.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "base/output_file.h"

namespace godwit {
namespace {

namespace fs = std::filesystem;

class AtomicOutputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("godwit_atomic_" + std::to_string(::getpid()));
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(root_), fs::directory_iterator{}));
  }
  std::string text(const fs::path& p) const {
    std::ifstream in(p);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path root_;
};

TEST_F(AtomicOutputTest, AFolderAppearsWhole) {
  {
    AtomicOutput out(root_ / "model", AtomicOutput::Kind::folder);
    write_file(out.path() / "a", "1");
    EXPECT_FALSE(fs::exists(root_ / "model"));
    out.commit();
  }
  EXPECT_EQ(text(root_ / "model" / "a"), "1");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicOutputTest, AnExceptionLeavesWhatWasThere) {
  fs::create_directory(root_ / "model");
  write_file(root_ / "model" / "old", "old");
  try {
    AtomicOutput out(root_ / "model", AtomicOutput::Kind::folder);
    write_file(out.path() / "a", "1");
    throw std::runtime_error("stop");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(text(root_ / "model" / "old"), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicOutputTest, ReplacesWholeFoldersAndFiles) {
  for (const char* version : {"1", "2"}) {
    AtomicOutput folder(root_ / "model/", AtomicOutput::Kind::folder), file(root_ / "f", AtomicOutput::Kind::file);
    write_file(folder.path() / version, version);
    write_file(file.path(), version);
    folder.commit();
    file.commit();
  }
  EXPECT_FALSE(fs::exists(root_ / "model" / "1"));
  EXPECT_EQ(text(root_ / "model" / "2"), "2");
  EXPECT_EQ(text(root_ / "f"), "2");
  EXPECT_EQ(entries(), 2u);
}

TEST_F(AtomicOutputTest, AKilledWriterLeavesNothingOnceTheNextHasRun) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicOutput out(root_ / "model", AtomicOutput::Kind::folder);
    write_file(out.path() / "half", "1");
    (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char c;
  ASSERT_EQ(::read(ready[0], &c, 1), 1);
  {
    // A living writer's output is left alone.
    AtomicOutput other(root_ / "model", AtomicOutput::Kind::folder);
    EXPECT_EQ(entries(), 2u);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(fs::exists(root_ / "model"));
  EXPECT_EQ(entries(), 1u);
  AtomicOutput(root_ / "model", AtomicOutput::Kind::folder);
  EXPECT_EQ(entries(), 0u);
}

TEST_F(AtomicOutputTest, TellsWhyItCannotWrite) {
  write_file(root_ / "f", "");
  EXPECT_THROW(AtomicOutput(root_ / "f" / "model", AtomicOutput::Kind::folder), UsageError);
  EXPECT_THROW(AtomicOutput("..", AtomicOutput::Kind::folder), UsageError);
  if (fs::exists("/dev/full")) {
    OutputFile full("/dev/full");
    try {
      full.write("x");
      FAIL() << "a full disk took a byte";
    } catch (const UsageError& e) {
      EXPECT_NE(std::string(e.what()).find("No space left"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace godwit
