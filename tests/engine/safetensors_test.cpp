#include "engine/safetensors.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "engine/file.hpp"
#include "tests/temporary_folder.hpp"

namespace dml::testing {
namespace {

SafeTensors example() {
  SafeTensors contents;
  contents.tensors.emplace_back("layer.weight", Tensor::of<float>({2, 3}, {1, -2, 3, -0.0F, 5, 6}));
  contents.tensors.emplace_back("count", Tensor::of<std::int64_t>({}, {-7}));
  contents.tensors.emplace_back("bytes", Tensor::of<std::uint8_t>({3}, {1, 2, 255}));
  contents.tensors.emplace_back("none", Tensor({0, 4}, DType::bf16));
  contents.tensors.emplace_back("double", Tensor::of<double>({1}, {0.1}));
  contents.metadata = {{"net", "resnet18"}, {"a \"quoted\"\n", "\xC3\xA4"}};
  return contents;
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.raw_bytes(), b.raw_bytes(), a.bytes()) == 0);
}

/// A file of this header and so many zero bytes.
std::string file_of(const std::string& header, std::size_t data) {
  std::string text(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(header.size() >> (8 * i));
  return text + header + std::string(data, '\0');
}

void refuses(const std::string& contents, const char* message = "") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "x.safetensors", contents);
  CHECK_THROWS_WITH_AS(read_safetensors(folder / "x.safetensors"), doctest::Contains(message),
                       FormatError);
  CHECK_THROWS_AS(list_safetensors(folder / "x.safetensors"), FormatError);
}

TEST_CASE("safetensors: what is written is read back, in order") {
  const TemporaryFolder folder;
  const auto file = folder / "a.safetensors";
  const SafeTensors written = example();
  write_safetensors(file, written);
  const SafeTensors found = read_safetensors(file);
  REQUIRE(found.tensors.size() == written.tensors.size());
  for (std::size_t i = 0; i < written.tensors.size(); ++i) {
    CHECK(found.tensors[i].first == written.tensors[i].first);
    CHECK(equal(found.tensors[i].second, written.tensors[i].second));
  }
  CHECK(found.metadata == written.metadata);
  CHECK(found.text("net") == "resnet18");
  CHECK(found.text("loss", "none") == "none");
  CHECK(found.find("nowhere") == nullptr);
  CHECK_THROWS_WITH_AS(found.at("layer.wieght"), doctest::Contains("layer.weight"), FormatError);

  std::map<std::string, std::string> metadata;
  const auto infos = list_safetensors(file, &metadata);
  REQUIRE(infos.size() == 5);
  CHECK(infos[0].shape == Shape{2, 3});
  CHECK(infos[3].dtype == DType::bf16);
  CHECK(metadata == written.metadata);
}

TEST_CASE("safetensors: the same contents give the same bytes, and data are aligned") {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", example());
  write_safetensors(folder / "b", example());
  const std::string bytes = read_file(folder / "a");
  CHECK(bytes == read_file(folder / "b"));
  CHECK((8 + static_cast<unsigned char>(bytes[0]) + 256 * static_cast<unsigned char>(bytes[1])) %
            64 ==
        0);
  CHECK(folder.entries() == 2);
}

TEST_CASE("safetensors: pitched tensors are written packed") {
  const TemporaryFolder folder;
  const Tensor wide = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  write_safetensors(folder / "a", {{{"x", wide.channels(1, 3)}}, {}});
  CHECK(equal(read_safetensors(folder / "a").at("x"), Tensor::of<float>({2, 2}, {2, 3, 5, 6})));
}

TEST_CASE("safetensors: a file cut short anywhere is refused") {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", example());
  const std::string bytes = read_file(folder / "a");
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    write_file_atomically(folder / "cut", bytes.substr(0, n));
    CHECK_THROWS_AS(read_safetensors(folder / "cut"), FormatError);
  }
  write_file_atomically(folder / "long", bytes + "x");
  CHECK_THROWS_AS(read_safetensors(folder / "long"), FormatError);
}

TEST_CASE("safetensors: any changed byte of the header gives tensors or an error") {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", example());
  const std::string bytes = read_file(folder / "a");
  int read = 0, refused = 0;
  for (std::size_t i = 0; i < 400 && i < bytes.size(); ++i)
    for (const char with : {'\0', '9', '"', '}', '\xFF'}) {
      std::string changed = bytes;
      changed[i] = with;
      write_file_atomically(folder / "b", changed);
      try {
        read_safetensors(folder / "b");
        ++read;
      } catch (const FormatError&) {
        ++refused;
      }
    }
  CHECK(read > 0);
  CHECK(refused > 1000);
}

TEST_CASE("safetensors: malformed headers are refused") {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const TemporaryFolder folder;
  write_file_atomically(folder / "x", file_of(good, 8));
  CHECK(read_safetensors(folder / "x").tensors.size() == 1);

  refuses("", "too short");
  refuses(std::string(8, '\xFF'), "header claims");
  refuses(std::string("\x00\xE1\xF5\x05\x01\0\0\0", 8) + std::string(100, ' '), "header claims");
  refuses(file_of("", 0), "no header");
  refuses(file_of("[]", 0), "no header");
  refuses(file_of(good, 7), "cut short");
  refuses(file_of(good, 9), "cut short");
  refuses(file_of(good + "x", 8), "JSON");
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4), "do not hold");
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "do not hold");
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12), "hole");
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8), "two numbers");
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8), "found -2");
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8));
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})", 8));
  refuses(file_of(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", 8));
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[2]}})", 8), "missing");
  refuses(file_of(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8), "missing");
  refuses(file_of(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})", 8), "C64");
  refuses(
      file_of(R"({"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,8]}})", 8),
      "too large");
  refuses(
      file_of(R"({"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,0]}})", 0),
      "do not hold");
  refuses(file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                  R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                  2),
          "twice");
  refuses(file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                  3),
          "overlap");
  refuses(file_of(R"({"__metadata__":{"a":1}})", 0), "metadata");
  refuses(file_of(R"({"__metadata__":{"a":{"b":"c"}}})", 0), "metadata");
  refuses(file_of(R"({"__metadata__":{"a":"b","a":"c"}})", 0), "twice");
  refuses(file_of(R"({"__metadata__":"x"})", 0));
  refuses(file_of(R"({"a":3})", 0));
  refuses(file_of("{\"\xFF\":{}}", 0), "JSON");
  refuses(file_of("{\"a\":" + std::string(100000, '['), 0));
  refuses(file_of("{" + std::string(5, ' '), 0), "JSON");
}

TEST_CASE("safetensors: what cannot be stored is not written") {
  const TemporaryFolder folder;
  const Tensor one({1}, DType::f32);
  CHECK_THROWS_AS(write_safetensors(folder / "a", {{{"__metadata__", one}}, {}}), FormatError);
  CHECK_THROWS_AS(write_safetensors(folder / "a", {{{"x", one}, {"x", one}}, {}}), FormatError);
  CHECK_THROWS_AS(write_safetensors(folder / "a", {{{"\xFF", one}}, {}}), FormatError);
  CHECK_THROWS_AS(write_safetensors(folder / "a", {{{"x", Tensor()}}, {}}), Error);
  CHECK(folder.entries() == 0);
}

}  // namespace
}  // namespace dml::testing
