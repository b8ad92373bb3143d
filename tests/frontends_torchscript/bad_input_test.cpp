// Damaged and hostile programs: an error of the file's or the caller's fault, never a crash.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "formats/torchscript/archive.h"
#include "frontends/frontend.h"
#include "frontends/torchscript/steady.h"
#include "support/zip_writer.h"

namespace godwit::frontends {
namespace {

using namespace std::string_literals;

const std::string kProgram =
    "class M(Module):\n"
    "  __parameters__ = []\n"
    "  __buffers__ = []\n"
    "  training : bool\n"
    "  n : int\n"
    "  def forward(self: __torch__.M,\n"
    "    x: Tensor,\n"
    "    k: int=2) -> Tuple[Tensor, List[int]]:\n"
    "    _0 = annotate(List[int], [])\n"
    "    y = torch.relu(torch.add(x, 1.5))\n"
    "    for i in range(3):\n"
    "      _1 = torch.append(_0, torch.mul(i, k))\n"
    "    if torch.eq(torch.dim(y), 2):\n"
    "      z = torch.sum(y, [1])\n"
    "    else:\n"
    "      ops.prim.RaiseException(torch.format(\"bad {}\", _0))\n"
    "      z = y\n"
    "    if bool(torch.gt(torch.sum(z), 0.)):\n"
    "      w = torch.mul(z, 2)\n"
    "    else:\n"
    "      w = torch.neg(z)\n"
    "    n = self.n\n"
    "    self.n = torch.add(n, 1)\n"
    "    return (torch.cat([w, w]), _0)\n";

// An object of class __torch__.M with training = True and n = 1.
const std::string kObject =
    "\x80\x02"
    "c__torch__\nM\n)\x81}(X\x08\0\0\0training\x88X\1\0\0\0nK\1ub."s;

Imported import(const std::string& program, const std::string& object = kObject) {
  const std::string text = testing::zip_of({{"m/data.pkl", object},
                                            {"m/code/__torch__.py", program},
                                            {"m/constants.pkl", "\x80\x02)."},
                                            {"m/version", "3\n"}});
  auto archive = formats::torchscript::Archive::of(ZipArchive::of(testing::bytes_of(text), nullptr, "m.pt"));
  ImportOptions options;
  options.inputs["x"].shape = ir::Shape{2, 3};
  return torchscript::import_steady(archive, options);
}

std::string with_body(const std::string& body) {
  return "class M(Module):\n  training : bool\n  n : int\n  def forward(self: __torch__.M,\n    x: Tensor) -> "
         "Tensor:\n" +
         body;
}

std::string message_of(const std::string& program) {
  try {
    import(program);
  } catch (const FileError& error) {
    return error.what();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(TorchScriptBadInput, TheProgramItselfIsGood) {
  const Imported imported = import(kProgram);
  EXPECT_TRUE(unsupported_ops(imported.module).empty());
  EXPECT_EQ(imported.module.main().states.size(), 1u);
}

TEST(TorchScriptBadInput, WhatIsWrittenBeforeItIsReadIsNoState) {
  const Imported scratch = import(with_body("    self.n = torch.dim(x)\n    n = self.n\n    return torch.add(x, n)\n"));
  EXPECT_TRUE(scratch.module.main().states.empty());
  const Imported kept = import(with_body("    n = self.n\n    self.n = torch.add(n, 1)\n    return torch.add(x, n)\n"));
  ASSERT_EQ(kept.module.main().states.size(), 1u);
  EXPECT_EQ(kept.module.main().states[0].initial->integer(0), 1);
}

TEST(TorchScriptBadInput, NamesTheFault) {
  EXPECT_NE(message_of(with_body("    return y\n")).find("y is not defined"), std::string::npos);
  EXPECT_NE(message_of(with_body("    return torch.relu(x, x)\n")).find("no overload takes"), std::string::npos);
  EXPECT_NE(message_of(with_body("    return (self).forward(x, )\n")).find("too deep"), std::string::npos);
  EXPECT_NE(message_of(with_body("    while True:\n      y = 1\n    return x\n")).find("rounds"), std::string::npos);
  EXPECT_NE(
      message_of(with_body("    for i in range(9223372036854775807):\n      pass\n    return x\n")).find("rounds"),
      std::string::npos);
  EXPECT_NE(message_of(with_body("    _0 = [1, 2]\n    return torch.mul(x, _0[7])\n")).find("IndexError"),
            std::string::npos);
  EXPECT_NE(message_of(with_body("    return torch.div(1, 0)\n")).find("ZeroDivisionError"), std::string::npos);
  EXPECT_NE(message_of(with_body("    return CONSTANTS.c4\n")).find("constant 4 of 0"), std::string::npos);
}

TEST(TorchScriptBadInput, UnsupportedOperatorsAreReportedTogether) {
  const Imported imported =
      import(with_body("    a = ops.mylib.alpha(x)\n    b = ops.mylib.beta(x)\n    c = ops.mylib.beta(x)\n    return "
                       "torch.add(torch.add(a, b), c)\n"));
  const auto found = unsupported_ops(imported.module);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name, "mylib.alpha");
  EXPECT_EQ(found[1].count, 2);
  EXPECT_NE(found[1].places.at(0).find("__torch__.py:"), std::string::npos);
}

}  // namespace
}  // namespace godwit::frontends
