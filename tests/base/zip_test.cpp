#include "base/zip.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/zip_writer.h"

namespace godwit {
namespace {

using testing::bytes_of;
using testing::put;
using testing::zip_of;

ZipArchive read(const std::string& text) { return ZipArchive::of(bytes_of(text), nullptr, "test.zip"); }

std::string message_of(const std::string& text) {
  try {
    read(text);
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

TEST(Zip, ReadsStoredAndDeflatedEntries) {
  const std::string long_text(5000, 'x');
  const std::string text = zip_of({{"m/data.pkl", "abc"}, {"m/code.py", long_text, true}, {"m/empty", ""}});
  ASSERT_TRUE(ZipArchive::looks_like_zip(bytes_of(text)));
  const ZipArchive zip = read(text);
  EXPECT_EQ(zip.entries().size(), 3u);
  EXPECT_EQ(zip.root(), "m");
  EXPECT_EQ(zip.read("m/data.pkl").text(), "abc");
  EXPECT_EQ(zip.read("m/code.py").text(), long_text);
  EXPECT_EQ(zip.read("m/empty").data.size(), 0u);
  // Stored bytes are not copied.
  EXPECT_EQ(reinterpret_cast<const char*>(zip.read("m/data.pkl").data.data()) - text.data(), 64);
  EXPECT_EQ(zip.find("m/nothing"), nullptr);
  EXPECT_THROW(zip.read("m/nothing"), FileError);
}

TEST(Zip, ReadsZip64) {
  std::string text = zip_of({{"m/a", "12345"}});
  // The same archive, its sizes and offsets moved to zip64 fields.
  const size_t end = text.size() - 22;
  const size_t directory = end - 46 - 3;
  std::string wide = text.substr(0, directory), entry = text.substr(directory, 49), extra;
  put(extra, 1, 2), put(extra, 24, 2), put(extra, 5, 8), put(extra, 5, 8), put(extra, 0, 8);
  for (size_t at : {20, 24, 42}) entry.replace(at, 4, "\xff\xff\xff\xff");
  entry[30] = static_cast<char>(extra.size());
  wide += entry + extra;
  const size_t record = wide.size();
  put(wide, 0x06064b50, 4), put(wide, 44, 8), put(wide, 45, 2), put(wide, 45, 2), put(wide, 0, 8);
  put(wide, 1, 8), put(wide, 1, 8), put(wide, entry.size() + extra.size(), 8), put(wide, directory, 8);
  put(wide, 0x07064b50, 4), put(wide, 0, 4), put(wide, record, 8), put(wide, 1, 4);
  put(wide, 0x06054b50, 4), put(wide, 0, 4), put(wide, 0xffff, 2), put(wide, 0xffff, 2);
  put(wide, 0xffffffff, 4), put(wide, 0xffffffff, 4), put(wide, 0, 2);
  EXPECT_EQ(read(wide).read("m/a").text(), "12345");
}

TEST(Zip, RefusesNamesThatLeaveTheArchive) {
  for (const char* name : {"../evil", "m/../../evil", "/etc/passwd", "m/..", "C:evil", "m\\evil"})
    EXPECT_NE(message_of(zip_of({{name, "x"}})).find("refused zip entry name"), std::string::npos) << name;
  EXPECT_EQ(message_of(zip_of({{"m/..good", "x"}})), "");
}

TEST(Zip, RefusesDuplicatesOverlapsAndBombs) {
  EXPECT_NE(message_of(zip_of({{"a", "x"}, {"a", "y"}})).find("two entries named a"), std::string::npos);

  std::string text = zip_of({{"a", "xxxx"}, {"b", "yyyy"}});
  const size_t second = text.rfind("PK\1\2");
  text.replace(second + 42, 4, std::string(4, '\0'));  // both entries at offset 0
  EXPECT_NE(message_of(text).find("overlap"), std::string::npos);

  std::string bomb = zip_of({{"a", std::string(4000, 'x'), true}});
  const size_t entry = bomb.rfind("PK\1\2");
  bomb.replace(entry + 24, 4, "\xff\xff\xff\x7f");
  const ZipArchive zip = read(bomb);
  EXPECT_THROW(zip.read("a"), FileError);
  const std::string large = zip_of({{"a", std::string(4000, 'x'), true}});
  EXPECT_THROW(read(large).read("a", 100), FileError);
}

TEST(Zip, RefusesTruncatedFiles) {
  const std::string text = zip_of({{"m/a", "hello"}, {"m/b", std::string(300, 'b'), true}});
  for (size_t size = 0; size < text.size(); ++size) EXPECT_THROW(read(text.substr(0, size)), FileError) << size;
}

TEST(Zip, ChecksumOfUnpackedEntries) {
  std::string text = zip_of({{"a", std::string(300, 'x'), true}});
  const size_t entry = text.rfind("PK\1\2");
  text[entry + 16] = static_cast<char>(text[entry + 16] ^ 1);
  EXPECT_THROW(read(text).read("a"), FileError);
}

}  // namespace
}  // namespace godwit
