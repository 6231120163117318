#include "data/near_duplicates.hpp"

#include <doctest/doctest.h>

#include "data/datasets/shape_painter.hpp"
#include "data/image/jpeg.hpp"
#include "data/image/resample.hpp"
#include "engine/file.hpp"
#include "tests/temporary_folder.hpp"

namespace dml::testing {
namespace {

Image picture(int i) {
  return shapes::paint(shapes::figure(i % 8), Random(7, Purpose::render, 0, std::uint64_t(i)));
}

TEST_CASE("near duplicates: size, quality and light change little") {
  int most = 0, near = 0;
  for (int i = 0; i < 20; ++i) {
    const Image image = picture(i);
    const Glance first = glance_at(image);
    CHECK(slopes_apart(first, first) == 0);
    const Image small = resize(image, {image.height / 2, image.width / 2});
    Image darker = decode_picture(encode_jpeg(small, 60), "small");
    for (auto& value : darker.pixels) value = static_cast<std::uint8_t>(value * 9 / 10);
    const int apart = slopes_apart(first, glance_at(darker));
    near += apart <= 8 ? 1 : 0;
    most = std::max(most, apart);
  }
  CHECK(near >= 18);
  CHECK(most <= 20);
  CHECK(slopes_apart(glance_at(picture(1)), Glance{}) == 128);
}

TEST_CASE("near duplicates: pairs are found among others, in order, with any number of threads") {
  const TemporaryFolder folder;
  std::vector<Item> items;
  const auto add = [&](const std::string& bytes) {
    items.push_back({.file = folder / (std::to_string(items.size()) + ".jpg")});
    write_file_atomically(items.back().file, bytes);
  };
  for (int i = 0; i < 24; ++i) add(encode_jpeg(picture(i), 90));
  add(encode_jpeg(picture(5), 50));
  add("no picture");
  add(encode_jpeg(picture(3), 90));
  for (const int threads : {1, 2}) {
    const auto pairs = near_duplicates(items, 8, threads);
    REQUIRE(pairs.size() == 2);
    CHECK(pairs[0].first == 3);
    CHECK(pairs[0].second == 26);
    CHECK(pairs[0].apart == 0);
    CHECK(pairs[1].first == 5);
    CHECK(pairs[1].second == 24);
  }
  CHECK_THROWS(near_duplicates(items, 8, 1, [] { return false; }));
}

}  // namespace
}  // namespace dml::testing
