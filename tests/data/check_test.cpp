#include "data/check.hpp"

#include <doctest/doctest.h>

#include "data/image/jpeg.hpp"
#include "engine/file.hpp"
#include "engine/interrupted.hpp"
#include "tests/temporary_folder.hpp"

namespace dml {
namespace {

using testing::TemporaryFolder;

/// Files: two good ones of other contents, a copy of the first, a truncated one, an empty one, a
/// text, and one that is not there.
Manifest odd_files(const TemporaryFolder& folder) {
  const auto jpeg = [](std::int64_t side, std::uint8_t grey) {
    Image image(side, side + 8);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      image.pixels[i] = static_cast<std::uint8_t>(grey + i % 64);
    return encode_jpeg(image, 90);
  };
  const std::vector<std::pair<std::string, std::string>> files = {
      {"a.jpg", jpeg(32, 10)},    {"b.jpg", jpeg(40, 90)},
      {"copy.jpg", jpeg(32, 10)}, {"cut.jpg", jpeg(64, 0).substr(0, 900)},
      {"empty.jpg", ""},          {"text.jpg", "not a picture"}};
  Manifest manifest;
  manifest.root = folder.path();
  for (const auto& [name, bytes] : files) {
    write_file_atomically(folder / name, bytes);
    manifest.items.push_back({.file = folder / name});
  }
  manifest.items.push_back({.file = folder / "gone.jpg"});
  return manifest;
}

TEST_CASE("check: names what cannot be read, in order, whatever the number of threads") {
  const TemporaryFolder folder;
  const Manifest manifest = odd_files(folder);
  for (const int threads : {1, 3}) {
    const ImageCheck deep = check_images(manifest.items, true, threads);
    REQUIRE(deep.unreadable.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(deep.unreadable[i].item == static_cast<std::int64_t>(i) + 3);
      const std::string name = manifest.items[i + 3].file.filename().string();
      CHECK_MESSAGE(deep.unreadable[i].text.find(name) != std::string::npos, name);
    }
    CHECK(deep.sizes[1] == Size{40, 48});
    CHECK(deep.sizes[6] == Size{});
  }
  CHECK(check_images(manifest.items, false, 2).unreadable.size() == 3);  // the cut one has a head
  Manifest boxed = manifest;
  boxed.items.resize(1);
  boxed.items[0].box = {30, 0, 20, 5};
  CHECK(check_images(boxed.items, false, 1).unreadable.at(0).text.find("its box") !=
        std::string::npos);
  CHECK_THROWS_AS(check_images(manifest.items, false, 1, [] { return false; }), Interrupted);
}

TEST_CASE("check: exact duplicates, but no file with itself") {
  const TemporaryFolder folder;
  Manifest manifest = odd_files(folder);
  manifest.items.push_back(manifest.items[0]);
  const auto pairs = exact_duplicates(manifest.items, 2);
  REQUIRE(pairs.size() == 1);
  CHECK(pairs[0] == std::pair<std::int64_t, std::int64_t>{0, 2});
}

TEST_CASE("check: bad images are left out and named; a split without any is an error") {
  const TemporaryFolder folder;
  Manifest manifest = odd_files(folder);
  std::vector<std::string> told;
  const Manifest good =
      without_bad_images(manifest, 2, [&](const auto& text) { told.push_back(text); });
  CHECK(good.items.size() == 3);
  REQUIRE(told.size() == 4);
  CHECK(told[1].find("empty.jpg") != std::string::npos);
  for (std::size_t i = 3; i < manifest.items.size(); ++i) manifest.items[i].split = Split::test;
  CHECK_THROWS_WITH_AS(without_bad_images(manifest, 2, [](const auto&) {}),
                       doctest::Contains("none of the 4 images of split test can be read"),
                       DataError);
}

}  // namespace
}  // namespace dml
