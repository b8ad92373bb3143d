#include "formats/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"

namespace godwit::formats {
namespace {

namespace fs = std::filesystem;

std::string npy(const std::string& dict, const std::string& data) {
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(dict.size() & 255);
  out += static_cast<char>(dict.size() >> 8);
  return out + dict + data;
}

Tensor parse(const std::string& text) {
  auto copy = std::make_shared<std::string>(text);
  return parse_npy(std::as_bytes(std::span(copy->data(), copy->size())), copy, "a test");
}

fs::path temporary(const std::string& name) {
  return fs::temp_directory_path() / fmt::format("godwit_{}_{}", ::getpid(), name);
}

TEST(Npy, ReadsWhatItWrites) {
  const fs::path path = temporary("a.npy");
  for (const Tensor& t :
       {Tensor::of<float>(DType::f32, {2, 2}, {1, 2, 3, 4}), Tensor::scalar(DType::i64, -5), Tensor::ints({1, 2, 3}),
        Tensor::zeros(DType::f64, {0, 4}), Tensor::scalar(DType::f16, 0.5)}) {
    write_npy(path, t);
    Tensor back = read_npy(path);
    EXPECT_EQ(describe(back), describe(t));
    EXPECT_TRUE(std::equal(back.bytes().begin(), back.bytes().end(), t.bytes().begin()));
  }
  EXPECT_THROW(write_npy(path, Tensor::scalar(DType::bf16, 1)), UsageError);
  fs::remove(path);
}

TEST(Npy, ReadsOtherOrders) {
  Tensor columns = parse(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", "abcdef"));
  EXPECT_EQ(columns.integer(1), 'c');
  EXPECT_EQ(columns.integer(3), 'b');
  Tensor big =
      parse(npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,)}", std::string("\x01\x00\x00\x02", 4)));
  EXPECT_EQ(big.integer(0), 256);
  EXPECT_EQ(big.integer(1), 2);
}

TEST(Npy, RefusesWhatHoldsNoNumbers) {
  EXPECT_THROW(parse("no array at all"), FileError);
  EXPECT_THROW(parse(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "12345678")), FileError);
  EXPECT_THROW(parse(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234")), FileError);
  EXPECT_THROW(parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "1234")), FileError);
  EXPECT_THROW(parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "1234")),
               FileError);
  EXPECT_THROW(parse(npy("{'descr': '<f4', 'shape': (1,)}", "1234")), FileError);
}

TEST(Npy, ArchivesOfArrays) {
  const fs::path path = temporary("a.npz");
  write_npz(path, {{"x", Tensor::ints({4, 5})}, {"y/z", Tensor::scalar(DType::f32, 2)}});
  auto back = read_npz(path);
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back.at("x").integer(1), 5);
  EXPECT_EQ(back.at("y/z").number(0), 2);
  fs::remove(path);
}

}  // namespace
}  // namespace godwit::formats
