#include "engine/npy.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "engine/file.hpp"
#include "tests/temporary_folder.hpp"

namespace dml::testing {
namespace {

bool equal(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.raw_bytes(), b.raw_bytes(), a.bytes()) == 0);
}

std::string file_of(const std::string& header, const std::string& data, int version = 1) {
  std::string text = "\x93NUMPY";
  text += {static_cast<char>(version), '\0', static_cast<char>(header.size() & 255U),
           static_cast<char>(header.size() >> 8U)};
  if (version > 1) text += std::string(2, '\0');
  return text + header + data;
}

Tensor read_of(const std::string& contents) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "x.npy", contents);
  return read_npy(folder / "x.npy");
}

TEST_CASE("npy: what is written is read back") {
  const TemporaryFolder folder;
  for (const Tensor& tensor :
       {Tensor::of<float>({2, 3}, {1, -2, 3, -0.0F, 5, 6}), Tensor::of<double>({}, {0.1}),
        Tensor::of<std::int64_t>({3}, {1, -2, 3}), Tensor::of<std::uint8_t>({1, 1, 2}, {0, 255}),
        Tensor({0, 4}, DType::f32), Tensor({2}, DType::f16), Tensor({2}, DType::boolean),
        Tensor({2}, DType::i8), Tensor({2}, DType::i16), Tensor({2}, DType::i32)}) {
    write_npy(folder / "a.npy", tensor);
    CHECK(equal(read_npy(folder / "a.npy"), tensor));
    CHECK(folder.entries() == 1);
  }
  CHECK_THROWS_AS(write_npy(folder / "b.npy", Tensor({2}, DType::bf16)), TypeError);
}

TEST_CASE("npy: the bytes are NumPy's own") {
  const TemporaryFolder folder;
  write_npy(folder / "a.npy", Tensor::of<std::int64_t>({3}, {1, 2, 3}));
  const std::string bytes = read_file(folder / "a.npy");
  CHECK(bytes.size() == 128 + 24);
  CHECK(bytes.substr(0, 10) == std::string("\x93NUMPY\x01\x00v\x00", 10));
  CHECK(bytes.substr(10, 58) == "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), } ");
  CHECK(bytes[127] == '\n');
}

TEST_CASE("npy: columns first, versions 2 and 3, other spellings") {
  const std::string six("\1\2\3\4\5\6", 6);
  const Tensor rows = Tensor::of<std::uint8_t>({2, 3}, {1, 3, 5, 2, 4, 6});
  const std::string header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }  \n";
  for (const int version : {1, 2, 3}) CHECK(equal(read_of(file_of(header, six, version)), rows));
  CHECK(equal(read_of(file_of("{\"shape\":(2L,3L),\"fortran_order\":True,\"descr\":\"|u1\"}", six)),
              rows));
  const Tensor cube =
      read_of(file_of("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2, 3), }", six));
  CHECK(equal(cube, rows.reshape({1, 2, 3})));
}

TEST_CASE("npy: malformed files are refused") {
  const auto refuses = [](const std::string& contents, const char* message) {
    CHECK_THROWS_WITH_AS(read_of(contents), doctest::Contains(message), FormatError);
  };
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
  const std::string eight(8, '\0');
  CHECK(read_of(file_of(good, eight)).shape() == Shape{2});
  const std::string whole = file_of(good, eight);
  for (std::size_t n = 0; n < whole.size(); ++n)
    CHECK_THROWS_AS(read_of(whole.substr(0, n)), FormatError);
  refuses(whole + "x", "does not fill");
  refuses("PK\3\4 this is no array", "no .npy file");
  refuses(file_of(good, eight, 4), "version 4");
  refuses(file_of("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", eight),
          "big-endian");
  refuses(file_of("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", eight), "'|O'");
  refuses(file_of("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", eight), "'<c8'");
  refuses(file_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", eight),
          "records");
  refuses(file_of("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", eight), "True");
  refuses(file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", eight), "number");
  refuses(file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", ""),
          "too large");
  refuses(file_of("{'descr': '<f4', 'fortran_order': False, "
                  "'shape': (4611686018427387904, 4)}",
                  ""),
          "does not fill");
  refuses(file_of("{'descr': '<f4', 'shape': (2,), }", eight), "missing");
  refuses(file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 'y'}", eight),
          "'x'");
  refuses(file_of(good + "y", eight), "follows");
  refuses(file_of("{'descr: ", eight), "does not end");
}

TEST_CASE("npy: any changed byte of the header gives an array or an error") {
  const std::string whole =
      file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", std::string(8, '\0'));
  int read = 0, refused = 0;
  for (std::size_t i = 0; i < whole.size() - 8; ++i)
    for (const char with : {'\0', '9', '\'', '}', '(', '\xFF'}) {
      std::string changed = whole;
      changed[i] = with;
      try {
        read_of(changed);
        ++read;
      } catch (const FormatError&) {
        ++refused;
      }
    }
  CHECK(read > 0);
  CHECK(refused > 100);
}

}  // namespace
}  // namespace dml::testing
