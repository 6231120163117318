#include "weights_convert/torch_writer.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "engine/file.hpp"
#include "engine/safetensors.hpp"
#include "tests/temporary_folder.hpp"
#include "weights_convert/convert.hpp"
#include "weights_convert/zip_archive.hpp"

namespace dml::weights {
namespace {

using testing::TemporaryFolder;

/// A tensor of every element type and of every odd shape.
NamedTensors zoo() {
  NamedTensors tensors;
  int next = 0;
  for (const DType type : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i64, DType::i32,
                           DType::i16, DType::i8, DType::u8, DType::boolean})
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 5}, Shape{2, 3, 1, 7}}) {
      Tensor tensor(shape, type);
      for (std::size_t i = 0; i < tensor.bytes(); ++i)
        tensor.raw_bytes()[i] =
            static_cast<std::byte>(type == DType::boolean ? i % 2 : i * 37 + 11);
      tensors.emplace_back("layer" + std::to_string(next++) + ".weight", tensor);
    }
  return tensors;
}

void check_same(const NamedTensors& a, const NamedTensors& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].first == b[i].first);
    CHECK(a[i].second.dtype() == b[i].second.dtype());
    REQUIRE(a[i].second.shape() == b[i].second.shape());
    CHECK(std::memcmp(a[i].second.raw_bytes(), b[i].second.raw_bytes(), a[i].second.bytes()) == 0);
  }
}

TEST_CASE("torch writer: every type and shape comes back, bit for bit") {
  const TemporaryFolder folder;
  write_torch(folder / "a.pth", zoo());
  const Weights found = read_weights(folder / "a.pth");
  CHECK(found.format == "torch zip");
  check_same(found.tensors, zoo());
  write_torch(folder / "b.pth", zoo());
  CHECK(read_file(folder / "a.pth") == read_file(folder / "b.pth"));
}

TEST_CASE("torch writer: more items than Python sets at once, and more than a byte counts") {
  const TemporaryFolder folder;
  NamedTensors many;
  for (int i = 0; i < 2500; ++i)
    many.emplace_back("w" + std::to_string(i), Tensor::of<float>({1}, {static_cast<float>(i)}));
  many.emplace_back("wide", Tensor({70000, 1}, DType::u8));
  std::memset(many.back().second.raw_bytes(), 7, 70000);
  write_torch(folder / "many.pth", many);
  check_same(read_weights(folder / "many.pth").tensors, many);
}

TEST_CASE("torch writer: the data of every record begin at a multiple of 64 bytes") {
  const TemporaryFolder folder;
  write_torch(folder / "a.pth", zoo());
  const std::string bytes = read_file(folder / "a.pth");
  const ZipArchive archive(folder / "a.pth");
  CHECK(archive.find("archive/data.pkl") != nullptr);
  CHECK(archive.text("archive/byteorder") == "little");
  CHECK(archive.text("archive/version") == "3\n");
  for (const auto& record : archive.entries()) {
    const auto& name = record.first;  // clang 14 lets no lambda have a structured binding
    const auto& entry = record.second;
    CAPTURE(name);
    CHECK(entry.method == 0);
    const auto field = [&](std::size_t at) {
      return static_cast<unsigned char>(bytes[entry.header + at]) +
             256U * static_cast<unsigned char>(bytes[entry.header + at + 1]);
    };
    CHECK((entry.header + 30 + field(26) + field(28)) % 64 == 0);
  }
}

TEST_CASE("convert: a checkpoint of a training goes to a net without the loss's tensors") {
  const TemporaryFolder folder;
  SafeTensors file;
  const auto two = Tensor::of<float>({1, 2}, {1, 2});
  file.tensors = {{"conv", two}, {"loss.classifier.weight", two}, {"loss.centres", two}};
  file.metadata = {{"dml.format", "checkpoint 1"}};
  write_safetensors(folder / "last.safetensors", file);
  NetTarget net;
  net.name = "small";
  net.tensors = {{"conv", {1, 2}}};
  net.classifier = "fc";
  net.width = 2;
  ConvertOptions options;
  options.input = folder / "last.safetensors";
  options.net = net;
  const Converted converted = convert(options);
  REQUIRE(converted.mapping.tensors.size() == 2);
  CHECK(converted.mapping.tensors[1].first == "fc.weight");
  CHECK(converted.of_loss == std::vector<std::string>{"loss.centres"});
  write_converted(converted, folder / "last.pth", Target::pth);
  CHECK(read_weights(folder / "last.pth").tensors[1].first == "fc.weight");
  options.net->width = 3;
  CHECK(convert(options).of_loss.size() == 2);
}

}  // namespace
}  // namespace dml::weights
