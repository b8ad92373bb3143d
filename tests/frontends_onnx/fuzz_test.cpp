// Damaged models are refused with an error. The readers themselves: tests/fuzz.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/zip.h"
#include "formats/onnx/onnx.h"
#include "frontends/onnx/importer.h"
#include "fuzz/mutate.h"

namespace godwit::frontends::onnx {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void import_text(const std::string& text) { import_model(godwit::onnx::read_model(bytes_of(text), nullptr)); }

// Every operator of the slice: 200 models, 50 mutations each.
TEST(OnnxFuzz, TranslatorsRefuseDamage) {
  ZipArchive zip = ZipArchive::open("tests/data/onnx/backend_slice.zip");
  int refused = 0;
  uint32_t seed = 1;
  for (const auto& entry : zip.entries()) {
    if (!entry.name.ends_with("/model.onnx")) continue;
    const std::string valid(zip.read(entry.name).text());
    for (uint32_t i = 0; i < 50; ++i) try {
        import_text(fuzz::mutated(valid, seed, i));
      } catch (const FileError&) {
        ++refused;
      } catch (const UsageError&) {
        ++refused;
      } catch (const std::exception& error) {
        FAIL() << entry.name << ", mutation " << i << " of seed " << seed << ": " << error.what();
      }
    ++seed;
  }
  EXPECT_GT(refused, 2000);
}

}  // namespace
}  // namespace godwit::frontends::onnx
