#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "formats/torchscript/archive.h"
#include "formats/torchscript/lexer.h"
#include "formats/torchscript/parser.h"
#include "formats/torchscript/printer.h"
#include "support/zip_writer.h"

namespace godwit::formats::torchscript {
namespace {

TEST(TorchScriptText, TokensOfALine) {
  const std::string source = "x0, y, = torch.f(\"a\\n\\003\", -1.5e-05)[0]\n";
  std::string kinds;
  for (const Token& t : tokenize(source, "t.py")) kinds += "nNtsLID."[static_cast<int>(t.kind)];
  EXPECT_EQ(kinds, "nsnssnsnstssNssNsL.");
  EXPECT_EQ(unescape("\"a\\n\\003\\'\""), "a\n\003'");
}

TEST(TorchScriptText, PrintsBackWhatItParsed) {
  const std::string source =
      "class A(Module):\n"
      "  __parameters__ = [\"weight\", ]\n"
      "  weight : Tensor\n"
      "  __annotations__[\"0\"] = __torch__.B\n"
      "  p : Final[float] = 0.10000000000000001\n"
      "  def forward(self: __torch__.A,\n"
      "    x: Tensor,\n"
      "    n: int=-1) -> Tuple[Tensor, Dict[str, int]]:\n"
      "    _0 = annotate(List[Optional[Tensor]], [])\n"
      "    h0, c0, = (self)._f(x, 1.+2.j, )\n"
      "    if torch.eq(n, 9223372036854775807):\n"
      "      h, c = h0, c0\n"
      "    else:\n"
      "      pass\n"
      "    for _6 in range(n):\n"
      "      self.y = torch.to(x, dtype=6, layout=None)\n"
      "    while True:\n"
      "      q : Optional[int] = (hx)[0]\n"
      "    def __forked_function():\n"
      "      return (x,)\n"
      "    return (x, {\"a\": 1, \"b\": -inf})\n"
      "def g(x: Tensor) -> NoneType:\n"
      "  return None\n";
  EXPECT_EQ(print(parse(source, "t.py")), source);
}

TEST(TorchScriptText, RefusesWithLine) {
  try {
    parse("def f(x: Tensor) -> int:\n  y = torch.add(x, )\n  z = = 3\n", "t.py");
    FAIL();
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find("t.py:3:"), std::string::npos) << error.what();
  }
  EXPECT_THROW(parse("def f() -> int:\n  return " + std::string(5000, '(') + "\n", "t.py"), FileError);
  std::string deep = "def f() -> int:\n  x = a";
  for (int i = 0; i < 5000; ++i) deep += ".b";
  EXPECT_THROW(parse(deep + "\n", "t.py"), FileError);
}

// Every archive of the folder (or of GODWIT_TORCHSCRIPT_FOLDER) prints back byte for byte.
TEST(TorchScriptText, ArchivesPrintBack) {
  const char* other = std::getenv("GODWIT_TORCHSCRIPT_FOLDER");
  int files = 0;
  for (const auto& item : std::filesystem::directory_iterator(other ? other : "tests/data/torchscript")) {
    if (item.path().extension() != ".pt") continue;
    auto archive = Archive::open(item.path());
    for (const std::string& path : archive->code_files()) {
      std::string source(archive->source(path));
      ++files;
      std::string printed = print(*archive->file(path));
      while (source.ends_with("\n\n")) source.pop_back();
      EXPECT_EQ(printed, source == "\n" ? "" : source) << item.path() << " " << path;
    }
  }
  EXPECT_GT(files, other ? 0 : 20);
}

TEST(TorchScriptArchive, FindsDefinitionsAndPlaces) {
  auto archive = Archive::open("tests/data/torchscript/control.pt");
  EXPECT_GE(archive->version(), 3);
  const auto found = archive->find("__torch__.Control");
  ASSERT_TRUE(found && found->type);
  EXPECT_EQ(found->type->base, "Module");
  const Function* forward = nullptr;
  for (const Member& m : found->type->members)
    if (m.method && m.method->name == "forward") forward = m.method.get();
  ASSERT_TRUE(forward);
  EXPECT_EQ(archive->place(*found->file, forward->body.back().offset), "torchscript.py:65");
  EXPECT_FALSE(archive->find("__torch__.Nothing"));
}

TEST(TorchScriptArchive, RefusesWhatItCannotRead) {
  auto open = [](std::vector<testing::ZipItem> items) {
    const std::string text = testing::zip_of(items);
    Archive::of(ZipArchive::of(testing::bytes_of(text), nullptr, "test.pt"));
  };
  auto message = [&](std::vector<testing::ZipItem> items) -> std::string {
    try {
      open(std::move(items));
    } catch (const FileError& error) {
      return error.what();
    }
    return "";
  };
  const std::string empty = "\x80\x02).", none = "\x80\x02N.";
  EXPECT_NE(message({{"m/version", "11\n"}, {"m/code/__torch__.py", "\n"}}).find("version 11"), std::string::npos);
  EXPECT_NE(message({{"m/version", "3\n"}, {"m/bytecode.pkl", ""}}).find("lite-interpreter"), std::string::npos);
  EXPECT_NE(message({{"m/version", "3\n"}, {"m/byteorder", "big"}, {"m/code/__torch__.py", ""}}).find("big"),
            std::string::npos);
  EXPECT_NE(message({{"m/version", "3\n"},
                     {"m/code/__torch__.py", ""},
                     {"m/data.pkl",
                      "\x80\x02"
                      "cos\nsystem\n."},
                     {"m/constants.pkl", empty}})
                .find("os.system"),
            std::string::npos);
  EXPECT_EQ(
      message({{"m/version", "3\n"}, {"m/code/__torch__.py", ""}, {"m/data.pkl", none}, {"m/constants.pkl", empty}}),
      "");
}

}  // namespace
}  // namespace godwit::formats::torchscript
