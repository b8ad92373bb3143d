#include "formats/pickle.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/zip_writer.h"

namespace godwit::formats::pickle {
namespace {

using namespace std::string_literals;
using Kind = Node::Kind;

Tree load(const std::string& text) {
  return read(
      testing::bytes_of(text), [](std::string_view name) { return name == "collections OrderedDict"; }, "t.pkl");
}

// What Python 3 writes for {"a": [1, -2, 300, 70000, 2**40, 1.5, None, True], "b": (1, "x")} with protocol 2.
const std::string kDict =
    "\x80\x02}q\0(X\1\0\0\0aq\1]q\2(K\1J\xfe\xff\xff\xffM,\1Jp\x11\1\0\x8a\x06\0\0\0\0\0\1G?\xf8\0\0\0\0\0\0N\x88"
    "e"
    "X\1\0\0\0bq\3K\1X\1\0\0\0xq\4\x86q\5u."s;

TEST(Pickle, ReadsPlainValues) {
  const Tree tree = load(kDict);
  ASSERT_TRUE(tree.root->is(Kind::dict));
  EXPECT_EQ(tree.size, kDict.size());
  const Node* a = tree.root->find("a");
  ASSERT_TRUE(a && a->items.size() == 8);
  EXPECT_EQ(a->items[1]->integer, -2);
  EXPECT_EQ(a->items[2]->integer, 300);
  EXPECT_EQ(a->items[3]->integer, 70000);
  EXPECT_EQ(a->items[4]->integer, int64_t{1} << 40);
  EXPECT_EQ(a->items[5]->real, 1.5);
  EXPECT_TRUE(a->items[6]->is(Kind::none));
  EXPECT_TRUE(a->items[7]->flag);
  EXPECT_EQ(tree.root->find("b")->items[1]->text, "x");
  EXPECT_EQ(tree.root->find("c"), nullptr);
}

TEST(Pickle, ACallIsANode) {
  const Tree tree = load(
      "\x80\x02"
      "ccollections\nOrderedDict\n)R(X\1\0\0\0kK\7u}b."s);
  ASSERT_TRUE(tree.root->is_call_of("collections OrderedDict"));
  EXPECT_EQ(tree.root->find("k")->integer, 7);
  EXPECT_TRUE(tree.root->state->is(Kind::dict));
}

TEST(Pickle, RefusesOtherGlobalsByName) {
  for (const std::string& text : {"cos\nsystem\n(X\2\0\0\0lstR."s, "\x80\x04\x8c\2os\x8c\6system\x93."s}) {
    try {
      load(text);
      FAIL();
    } catch (const FileError& error) {
      EXPECT_NE(std::string(error.what()).find("os.system"), std::string::npos) << error.what();
    }
  }
}

TEST(Pickle, RefusesDamage) {
  for (const std::string& text : {""s, "N"s, "."s, "t."s, "(."s, "K"s, "h\0."s,
                                  "X\xff\xff\xff\xff"
                                  "a."s,
                                  "N)R."s, "NNb."s, "(K\1u."s, "\x80\x09N."s, "i."s, "\x82\1."s})
    EXPECT_THROW(load(text), FileError) << text;
}

TEST(Pickle, DeepAndCyclicTreesAreFreedWithoutRecursion) {
  std::string deep;
  for (int i = 0; i < 300'000; ++i) deep += "(";
  deep += "N";
  for (int i = 0; i < 300'000; ++i) deep += "l";
  EXPECT_TRUE(load(deep + ".").root->is(Kind::list));
  const Tree cycle = load("]q\0h\0a."s);
  EXPECT_EQ(cycle.root->items[0], cycle.root);
}

}  // namespace
}  // namespace godwit::formats::pickle
