#include "frontends/aten/schema.h"

#include <gtest/gtest.h>

#include "frontends/aten/registry.h"

namespace godwit::frontends::aten {
namespace {

TEST(Schema, ReadsTypesDefaultsAndMarks) {
  Schema s = parse_schema(
      "aten::conv2d.padding(Tensor(a!) input, Tensor? bias=None, SymInt[2] stride=[1, 2], str padding=\"valid\", "
      "Tensor?[] more, *, float eps=1.0000000000000001e-05, bool[] flags=[True, False]) -> (Tensor(a!), Tensor "
      "indices)");
  EXPECT_EQ(s.name, "aten::conv2d");
  EXPECT_EQ(s.overload, "padding");
  ASSERT_EQ(s.arguments.size(), 7u);
  EXPECT_TRUE(s.arguments[0].is_written);
  EXPECT_TRUE(s.arguments[1].optional);
  EXPECT_TRUE(s.arguments[1].fallback->is_none());
  EXPECT_EQ(s.arguments[2].type, "int");
  EXPECT_EQ(s.arguments[2].fixed_size, 2);
  EXPECT_TRUE((*s.arguments[2].fallback->items())[1].get<ir::Dim>()->is(2));
  EXPECT_EQ(*s.arguments[3].fallback->get<std::string>(), "valid");
  EXPECT_TRUE(s.arguments[4].optional_items);
  EXPECT_FALSE(s.arguments[4].optional);
  EXPECT_FALSE(s.arguments[4].keyword_only);
  EXPECT_TRUE(s.arguments[5].keyword_only);
  EXPECT_DOUBLE_EQ(*s.arguments[5].fallback->get<double>(), 1e-5);
  ASSERT_EQ(s.returns.size(), 2u);
  EXPECT_EQ(s.returns[1].name, "indices");
}

TEST(Schema, EveryRowHasASchemaAndEverySchemaParses) {
  for (const std::string& row : row_names()) {
    std::string name = row.substr(0, row.find('.'));
    const auto& list = schemas(name);
    EXPECT_FALSE(list.empty()) << row;
    if (row != name) {
      EXPECT_NE(find_schema(name, row.substr(name.size() + 1)), nullptr) << row;
    }
  }
}

TEST(Schema, BindsPositionalAndKeywordArguments) {
  const Schema* s = find_schema("aten::add", "Tensor");
  ASSERT_NE(s, nullptr);
  Values bound = bind_arguments(*s, {1.5, 2.5}, {});
  EXPECT_TRUE(bound.at(2).get<ir::Dim>()->is(1));
  EXPECT_THROW(bind_arguments(*s, {1.5}, {}), UsageError);
  EXPECT_THROW(bind_arguments(*s, {1.5, 2.5}, {{"self", 1}}), UsageError);
  EXPECT_THROW(bind_arguments(*s, {1.5, 2.5}, {{"beta", 1}}), UsageError);
}

}  // namespace
}  // namespace godwit::frontends::aten
