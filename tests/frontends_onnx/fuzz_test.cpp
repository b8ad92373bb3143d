// Damaged models are refused with an error; nothing crashes, hangs or takes much memory.
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/zip.h"
#include "formats/onnx/onnx.h"
#include "frontends/onnx/importer.h"
#include "support/fuzz.h"

namespace godwit::frontends::onnx {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void import_text(const std::string& text) { import_model(godwit::onnx::read_model(bytes_of(text), nullptr)); }

TEST(OnnxFuzz, ReaderAndImporterRefuseDamage) {
  for (const char* name : {"branches", "functions", "storage"}) {
    auto file = MappedFile::open(std::string("tests/data/onnx/") + name + ".onnx");
    const std::string valid(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
    EXPECT_GT(testing::fuzz(valid, 4000, 7, import_text), 1000) << name;
  }
}

// Every operator of the slice: 200 models, 50 mutations each.
TEST(OnnxFuzz, TranslatorsRefuseDamage) {
  ZipArchive zip = ZipArchive::open("tests/data/onnx/backend_slice.zip");
  int refused = 0;
  uint32_t seed = 1;
  for (const auto& entry : zip.entries()) {
    if (!entry.name.ends_with("/model.onnx")) continue;
    const auto bytes = zip.read(entry.name);
    SCOPED_TRACE(entry.name);
    refused += testing::fuzz(std::string(bytes.text()), 50, seed++, import_text);
    if (HasFatalFailure() || HasNonfatalFailure()) break;
  }
  EXPECT_GT(refused, 2000);
}

}  // namespace
}  // namespace godwit::frontends::onnx
