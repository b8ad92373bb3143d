#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "base/error.h"
#include "formats/pt2/pt2.h"
#include "support/zip_writer.h"

namespace godwit::formats::pt2 {
namespace {

std::string bytes_of(const std::string& name) {
  std::ifstream file("tests/data/pt2/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

Archive read_text(const std::string& text) {
  auto owner = std::make_shared<const std::string>(text);
  return read(std::as_bytes(std::span(*owner)), owner, "x.pt2");
}

const std::string empty_program =
    R"({"schema_version": {"major": 8, "minor": 20}, "graph_module": {"graph": {"inputs": [],
  "outputs": [], "nodes": [], "tensor_values": {}, "sym_int_values": {}}, "signature": {"input_specs": [], "output_specs": []},
  "module_call_graph": []}})";

// An archive with one weight of the given description and payload.
std::string archive(const std::string& meta, const std::string& payload, const std::string& program = empty_program) {
  return testing::zip_of(
      {{"m/archive_format", "pt2", false},
       {"m/archive_version", "0", false},
       {"m/models/model.json", program, false},
       {"m/data/weights/model_weights_config.json",
        R"({"config": {"w": {"path_name": "weight_0", "is_param": true, "use_pickle": false, "tensor_meta": )" + meta +
            "}}}",
        false},
       {"m/data/weights/weight_0", payload, false}});
}

std::string meta(const std::string& sizes, const std::string& strides, int offset, int dtype = 7) {
  return R"({"dtype": )" + std::to_string(dtype) + R"(, "sizes": )" + sizes + R"(, "strides": )" + strides +
         R"(, "storage_offset": {"as_int": )" + std::to_string(offset) + R"(}, "layout": 7})";
}

std::string floats(int n) {
  std::string out;
  for (int i = 0; i < n; ++i) {
    float v = static_cast<float>(i);
    out.append(reinterpret_cast<const char*>(&v), 4);
  }
  return out;
}

TEST(Pt2Archive, ReadsProgramsWeightsAndPlaces) {
  Archive a = read_text(bytes_of("block.pt2"));
  ASSERT_EQ(a.programs.size(), 1u);
  const Program& p = a.programs[0];
  EXPECT_EQ(p.output_names, std::vector<std::string>{"output"});
  EXPECT_EQ(p.inputs.size(), p.graph.inputs.size());
  EXPECT_EQ(a.weights.at("head.weight").shape, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(p.graph.nodes.at(0).scope, "conv");
  EXPECT_FALSE(p.graph.nodes.at(0).place.empty());
  EXPECT_TRUE(a.unreadable.empty());
}

TEST(Pt2Archive, HonoursStridesOffsetsAndSharing) {
  Archive a =
      read_text(archive(meta(R"([{"as_int": 2}, {"as_int": 3}])", R"([{"as_int": 1}, {"as_int": 2}])", 1), floats(8)));
  const Tensor& w = a.weights.at("w");
  EXPECT_EQ(w.number(0), 1);
  EXPECT_EQ(w.number(1), 3);
  EXPECT_EQ(w.number(3), 2);
  Archive tied = read_text(bytes_of("mixed.pt2"));
  EXPECT_EQ(tied.weights.at("a.weight").data, tied.weights.at("b.weight").data);
  EXPECT_FALSE(tied.weights.at("table").is_contiguous());
}

TEST(Pt2Archive, AShortPayloadIsNoWeight) {
  Archive a = read_text(archive(meta(R"([{"as_int": 9}])", R"([{"as_int": 1}])", 0), floats(8)));
  EXPECT_EQ(a.weights.count("w"), 0u);
  EXPECT_NE(a.unreadable.at("w").find("32 bytes"), std::string::npos);
  Archive far = read_text(archive(meta(R"([{"as_int": 2}])", R"([{"as_int": 9223372036854775807}])", 0), floats(8)));
  EXPECT_EQ(far.unreadable.count("w"), 1u);
  Archive repeated = read_text(archive(meta(R"([{"as_int": 100000000}])", R"([{"as_int": 0}])", 0), floats(1)));
  EXPECT_EQ(repeated.unreadable.count("w"), 1u);
  Archive complex_half = read_text(archive(meta("[]", "[]", 0, 9), floats(8)));
  EXPECT_EQ(complex_half.unreadable.count("w"), 1u);
}

void expect_refused(const std::string& text, const std::string& reason) {
  try {
    read_text(text);
    ADD_FAILURE() << "not refused: " << reason;
  } catch (const FileError& e) {
    EXPECT_NE(std::string(e.what()).find(reason), std::string::npos) << e.what();
  }
}

TEST(Pt2Archive, RefusesWhatItCannotRead) {
  const std::string scalar = meta("[]", "[]", 0);
  expect_refused("PK nothing", "x.pt2");
  expect_refused(testing::zip_of({{"m/archive_format", "pt9", false}}), "archive_format");
  expect_refused(testing::zip_of({{"m/archive_format", "pt2", false}}), "no program");
  expect_refused(archive(scalar, floats(1), "{"), "no valid JSON");
  expect_refused(archive(scalar, floats(1), std::string(2000, '[') + std::string(2000, ']')), "nested deeper than");
  std::string newer = empty_program;
  newer.replace(newer.find("8"), 1, "9");
  expect_refused(archive(scalar, floats(1), newer), "schema version 9");
  std::string without = empty_program;
  without.replace(without.find("\"nodes\": []"), 11, "\"nodes\": 3");
  expect_refused(archive(scalar, floats(1), without), "graph.nodes");
  expect_refused(
      archive(R"({"dtype": 7, "sizes": [{"as_int": -1}], "strides": [{"as_int": 1}], "layout": 7})", floats(1)),
      "negative size");
}

}  // namespace
}  // namespace godwit::formats::pt2
