#include <doctest/doctest.h>

#include <algorithm>
#include <numbers>
#include <string>
#include <vector>

#include "data/image/colour.hpp"
#include "data/image/warp.hpp"
#include "tests/data/picture.hpp"

namespace dml {
namespace {

using testing::sample_picture;

Image run(const std::string& name, const Settings& settings, Image image, std::uint64_t index = 0) {
  Pipeline pipeline;
  pipeline.then(name, settings, {224});
  RandomSequence random(Random(1, Purpose::augment, 0, index));
  return pipeline.run(image, random);
}

/// Bytes all over, then a ramp of greys and colours at the corners of the cube.
Image colours() {
  Image image(48, 64);
  std::uint32_t state = 12345;
  for (std::uint8_t& value : image.pixels) {
    state = (state * 1103515245U + 12345U) & 0x7FFFFFFFU;
    value = static_cast<std::uint8_t>(state >> 16U);
  }
  for (int i = 0; i < 64; ++i)
    std::fill_n(&image.pixels[static_cast<std::size_t>(3 * i)], 3,
                static_cast<std::uint8_t>(4 * i));
  const std::vector<std::uint8_t> corners{255, 0,   0,   0,   255, 0,   0,  0,  255, 255, 255, 0,
                                          0,   255, 255, 255, 0,   255, 10, 10, 9,   9,   10,  10};
  std::copy(corners.begin(), corners.end(), image.pixels.begin() + 192);
  return image;
}

std::uint64_t fnv(const Image& image) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const std::uint8_t value : image.pixels) hash = (hash ^ value) * 0x100000001B3ULL;
  return hash;
}

}  // namespace

TEST_CASE("colour: the bits of Pillow 13 and torchvision 0.29") {
  struct Change {
    std::string what;
    double by;
    std::uint64_t hash;  // FNV-1a of what they made of the same picture
  };
  const std::vector<Change> changes{
      {"brightness", 0, 0xf3fb6a6deb5af325ULL},    {"brightness", 0.6, 0xdafdff4a12cbf337ULL},
      {"brightness", 0.85, 0xbbb3ed98f3a1f2bfULL}, {"brightness", 1, 0xd0340c175ee8b1eULL},
      {"brightness", 1.15, 0xe4be734a80c4f262ULL}, {"brightness", 1.4, 0x5e80996f800e3f86ULL},
      {"contrast", 0, 0xf785993a6edaf325ULL},      {"contrast", 0.6, 0x89ae1fe87e72277ULL},
      {"contrast", 0.85, 0xb12ce409c88220bcULL},   {"contrast", 1, 0xd0340c175ee8b1eULL},
      {"contrast", 1.15, 0x7870d220b5ca624aULL},   {"contrast", 1.4, 0x85cf27114b76f9cbULL},
      {"saturation", 0, 0x3455b340485d4dddULL},    {"saturation", 0.6, 0xca078efa56bd421eULL},
      {"saturation", 0.85, 0x2c89038072323e6eULL}, {"saturation", 1, 0xd0340c175ee8b1eULL},
      {"saturation", 1.15, 0xd7f15327b9869d20ULL}, {"saturation", 1.4, 0xd9e7a90f7a5f270aULL},
      {"hue", -0.5, 0x126e0c2db648b62cULL},        {"hue", -0.1, 0x65545d4d9bd19338ULL},
      {"hue", -0.03, 0xda6e4553bc03adddULL},       {"hue", 0, 0x5298f1a106c5b164ULL},
      {"hue", 0.07, 0xf0c6cdbd83daf313ULL},        {"hue", 0.1, 0xa14616213ce26af4ULL},
      {"hue", 0.5, 0x7122c4d98d8b548bULL},         {"grey", 0, 0x3455b340485d4dddULL}};
  const Image start = colours();
  REQUIRE(fnv(start) == 0xD0340C175EE8B1EULL);
  for (const Change& one : changes) {
    CAPTURE(one.what);
    CAPTURE(one.by);
    Image image = start;
    const auto factor = static_cast<float>(one.by);
    if (one.what == "brightness") change_brightness(image, factor);
    if (one.what == "contrast") change_contrast(image, factor);
    if (one.what == "saturation") change_saturation(image, factor);
    if (one.what == "hue") turn_hue(image, one.by);
    if (one.what == "grey") make_grey(image);
    CHECK(fnv(image) == one.hash);
  }
}

TEST_CASE("colour_jitter, greyscale, brightness_contrast: how often, and how far") {
  const Image start = sample_picture(30, 40);
  const Settings never{{"probability", "0"}}, always{{"probability", "1"}};
  for (const std::string name : {"colour_jitter", "greyscale", "brightness_contrast"}) {
    CAPTURE(name);
    CHECK(run(name, never, start) == start);
    CHECK(run(name, always, start) != start);
    CHECK(run(name, always, start, 3) == run(name, always, start, 3));
    CHECK((name == "greyscale" || run(name, always, start, 3) != run(name, always, start, 4)));
  }
  const Settings still{{"probability", "1"},
                       {"brightness", "0"},
                       {"contrast", "0"},
                       {"saturation", "0"},
                       {"hue", "0"}};
  CHECK(run("colour_jitter", still, start) == start);
  const Settings unmoved{{"probability", "1"}, {"brightness", "0"}, {"contrast", "0"}};
  CHECK(run("brightness_contrast", unmoved, start) == start);
  int grey = 0;
  for (std::uint64_t i = 0; i < 400; ++i) grey += run("greyscale", {}, start, i) != start ? 1 : 0;
  CHECK(grey > 50);  // a fifth of 400 is 80, its deviation 8
  CHECK(grey < 110);
  const Image none = run("greyscale", always, start);
  for (std::size_t i = 0; i < none.pixels.size(); i += 3) {
    CHECK(none.pixels[i] == none.pixels[i + 1]);
    CHECK(none.pixels[i] == none.pixels[i + 2]);
  }
}

TEST_CASE("turned: quarter turns and whole shifts are exact, edges are mirrored") {
  const Image start = sample_picture(20, 20);
  CHECK(turned(start, 0, 0, 0) == start);
  const auto at = [](const Image& image, std::int64_t x, std::int64_t y) {
    return image.row(y)[3 * x];
  };
  const Image quarter = turned(start, std::numbers::pi / 2, 0, 0);
  const Image moved = turned(start, 0, 3, -2);
  for (std::int64_t y = 0; y < 20; ++y)
    for (std::int64_t x = 0; x < 20; ++x) {
      CHECK(at(quarter, x, y) == at(start, y == 0 ? 18 : 20 - y, x));
      const std::int64_t from_x = x < 3 ? 3 - x : x - 3, from_y = y + 2 > 19 ? 38 - (y + 2) : y + 2;
      CHECK(at(moved, x, y) == at(start, from_x, from_y));
    }
  Image plain(9, 5);
  std::fill(plain.pixels.begin(), plain.pixels.end(), std::uint8_t{77});
  CHECK(turned(plain, 0.4, 2.5, 1.25) == plain);
  const Image one_row = turned(sample_picture(1, 30), 0.3, 0, 0);
  CHECK(one_row.height == 1);
}

TEST_CASE("shift_rotate: how often, and the same again for the same numbers") {
  const Image start = sample_picture(24, 36);
  CHECK(run("shift_rotate", {{"probability", "0"}}, start) == start);
  CHECK(run("shift_rotate", {{"probability", "1"}, {"shift", "0"}, {"degrees", "0"}}, start) ==
        start);
  const Image once = run("shift_rotate", {{"probability", "1"}}, start, 5);
  CHECK(once != start);
  CHECK(once == run("shift_rotate", {{"probability", "1"}}, start, 5));
  CHECK(once.height == 24);
  CHECK(once.width == 36);
}

TEST_CASE("coarse_dropout: one to five black squares, the rest stays") {
  Image start(60, 80);
  std::fill(start.pixels.begin(), start.pixels.end(), std::uint8_t{200});
  std::vector<bool> several(2);
  for (std::uint64_t i = 0; i < 30; ++i) {
    const Image holed = run("coarse_dropout", {{"probability", "1"}, {"side", "8"}}, start, i);
    const auto black = std::count(holed.pixels.begin(), holed.pixels.end(), 0);
    const auto left = std::count(holed.pixels.begin(), holed.pixels.end(), 200);
    CHECK(black + left == 60 * 80 * 3);
    CHECK(black >= 8 * 8 * 3);
    CHECK(black <= 5 * 8 * 8 * 3);
    several[black > 8 * 8 * 3 ? 1 : 0] = true;
  }
  CHECK(several[0]);
  CHECK(several[1]);
  const Image all = run("coarse_dropout", {{"probability", "1"}, {"side", "100"}}, start);
  CHECK(std::count(all.pixels.begin(), all.pixels.end(), 0) == 60 * 80 * 3);
}

TEST_CASE("box_blur: the mean of a square, mirrored at the edge") {
  const Image start = sample_picture(12, 15);
  const Image blurred = run("box_blur", {{"probability", "1"}, {"largest", "3"}}, start);
  const auto inside = [](std::int64_t i, std::int64_t size) {
    return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
  };
  for (std::int64_t y = 0; y < 12; ++y)
    for (std::int64_t x = 0; x < 15; ++x)
      for (std::int64_t c = 0; c < 3; ++c) {
        int sum = 0;
        for (std::int64_t i = -1; i <= 1; ++i)
          for (std::int64_t j = -1; j <= 1; ++j)
            sum += start.row(inside(y + i, 12))[3 * inside(x + j, 15) + c];
        CHECK(std::abs(blurred.row(y)[3 * x + c] - sum / 9.0) <= 1.0);  // two roundings
      }
  CHECK(run("box_blur", {{"probability", "0"}}, start) == start);
  const Image dot = run("box_blur", {{"probability", "1"}}, Image(1, 1));
  CHECK(dot == Image(1, 1));
}

TEST_CASE("augment divide: every album gives pictures of the net's size") {
  const Image start = sample_picture(90, 120);
  for (const std::string album : {"ColorHeavy", "GeomColor", "Geom"}) {
    CAPTURE(album);
    const auto augment = Registry<Augment>::make("divide", {{"album", album}}, {.size = 64});
    for (std::uint64_t i = 0; i < 8; ++i) {
      RandomSequence random(Random(1, Purpose::augment, 0, i));
      const Image view = augment->train().run(start, random);
      CHECK(view.height == 64);
      CHECK(view.width == 64);
    }
  }
  CHECK_THROWS_AS(Registry<Augment>::make("divide", {{"album", "none"}}, {.size = 64}), UsageError);
}

}  // namespace dml
