#include <doctest/doctest.h>

#include <cmath>

#include "data/image/resample.hpp"
#include "data/normalize.hpp"
#include "data/transform.hpp"
#include "tests/data/picture.hpp"

namespace dml {
namespace {

using testing::sample_picture;

Pipeline one(const std::string& name, const Settings& settings = {}, std::int64_t size = 224) {
  Pipeline pipeline;
  pipeline.then(name, settings, {size});
  return pipeline;
}

Image run(const Pipeline& pipeline, const Image& image, std::uint64_t index = 0) {
  RandomSequence random(Random(1, Purpose::augment, 0, index));
  return pipeline.run(image, random);
}

/// The rule of Pillow's resize written down once more, one number at a time.
Image slow_resize(const Image& image, Size size) {
  const auto pass = [](std::int64_t in, std::int64_t out, std::int64_t o, auto value) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double reach = std::max(scale, 1.0);
    const double centre = (static_cast<double>(o) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - reach + 0.5));
    const auto end = std::min(in, static_cast<std::int64_t>(centre + reach + 0.5));
    std::vector<double> weights;
    double total = 0;
    for (std::int64_t i = first; i < end; ++i) {
      const double x = (static_cast<double>(i) - centre + 0.5) / reach;
      weights.push_back(std::max(0.0, 1 - std::abs(x)));
      total += weights.back();
    }
    std::int64_t sum = 1 << 21;
    for (std::int64_t i = first; i < end; ++i) {
      const double w = weights[static_cast<std::size_t>(i - first)] / total;
      sum += static_cast<std::int64_t>(0.5 + w * (1 << 22)) * value(i);
    }
    return static_cast<std::uint8_t>(std::clamp<std::int64_t>(sum >> 22, 0, 255));
  };
  Image wide(image.height, size.width), result(size.height, size.width);
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < size.width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        wide.row(y)[3 * x + c] = pass(image.width, size.width, x, [&](std::int64_t i) {
          return std::int64_t{image.row(y)[3 * i + c]};
        });
  for (std::int64_t y = 0; y < size.height; ++y)
    for (std::int64_t x = 0; x < size.width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        result.row(y)[3 * x + c] = pass(image.height, size.height, y, [&](std::int64_t i) {
          return std::int64_t{wide.row(i)[3 * x + c]};
        });
  return result;
}

TEST_CASE("resize: equals the rule applied number by number") {
  for (const auto& [from, to] : {std::pair{Size{37, 50}, Size{29, 39}},
                                 {{20, 31}, {64, 97}},
                                 {{90, 111}, {7, 5}},
                                 {{1, 9}, {3, 3}},
                                 {{33, 33}, {32, 33}}}) {
    const Image image = sample_picture(from.height, from.width);
    CHECK(resize(image, to) == slow_resize(image, to));
  }
}

TEST_CASE("resize: a window equals the same part of the whole result") {
  const Image image = sample_picture(70, 90);
  const Image whole = resize(image, {40, 55});
  for (const Box& window : {Box{0, 0, 55, 40}, {3, 5, 20, 30}, {54, 39, 1, 1}, {0, 20, 55, 1}})
    CHECK(resize_window(image, {40, 55}, window) == crop(whole, window));
  CHECK_THROWS_AS(resize_window(image, {40, 55}, {50, 0, 10, 10}), ShapeError);
}

TEST_CASE("resize: a picture of one colour keeps it") {
  Image image(50, 40);
  for (std::uint8_t& v : image.pixels) v = 255;
  const Image small = resize(image, {13, 17});
  CHECK(std::all_of(small.pixels.begin(), small.pixels.end(), [](int v) { return v == 255; }));
}

TEST_CASE("resize_shorter: the longer side is cut to a whole number") {
  const auto check = [](Size from, Size to, const char* target) {
    const Image image =
        run(one("resize_shorter", {{"to", target}}), sample_picture(from.height, from.width));
    CHECK(Size{image.height, image.width} == to);
  };
  check({50, 37}, {39, 29}, "29");
  check({37, 50}, {29, 39}, "29");
  check({20, 31}, {20, 31}, "20");
}

TEST_CASE("center_crop: offsets round halves to even, small pictures get a black border") {
  const Image image = sample_picture(31, 33);
  CHECK(run(one("center_crop", {{"size", "20"}}), image) == crop(image, {6, 6, 20, 20}));
  const Image framed = run(one("center_crop", {{"size", "36"}}), image);
  CHECK(crop(framed, {1, 2, 33, 31}) == image);
  CHECK(framed.row(0)[0] == 0);
  CHECK(framed.row(35)[3 * 35] == 0);
}

TEST_CASE("random_resized_crop: boxes stay inside, within area and ratio") {
  const Pipeline pipeline = one("random_resized_crop", {{"min_area", "0.2"}}, 32);
  double least = 1, most = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    RandomSequence random(Random(5, Purpose::augment, 0, i));
    const Box box = pipeline.region({100, 150}, random);
    CHECK((box.left >= 0 && box.top >= 0 && box.left + box.width <= 150 &&
           box.top + box.height <= 100));
    const double area = static_cast<double>(box.width * box.height) / 15000;
    const double ratio = static_cast<double>(box.width) / static_cast<double>(box.height);
    least = std::min(least, area);
    most = std::max(most, area);
    CHECK((ratio > 0.73 && ratio < 1.36));
  }
  CHECK((least > 0.19 && least < 0.25));
  CHECK(most > 0.8);
}

TEST_CASE("random_resized_crop: a picture too long for the ratios gives its middle") {
  RandomSequence random(Random(5, Purpose::augment));
  const Pipeline whole = one("random_resized_crop", {{"min_area", "1"}});
  CHECK(whole.region({10, 100}, random) == Box{43, 0, 13, 10});
  CHECK(whole.region({100, 10}, random) == Box{0, 43, 10, 13});
}

TEST_CASE("horizontal_flip: twice is nothing, half of the pictures are mirrored") {
  const Image image = sample_picture(9, 8);
  const Pipeline always = one("horizontal_flip", {{"probability", "1"}});
  const Image mirrored = run(always, image);
  CHECK(mirrored.row(2)[0] == image.row(2)[3 * 7]);
  CHECK(run(always, mirrored) == image);
  int flipped = 0;
  for (std::uint64_t i = 0; i < 1000; ++i)
    flipped += run(one("horizontal_flip"), image, i) != image;
  CHECK((flipped > 430 && flipped < 570));
}

TEST_CASE("random_crop: says when the picture is too small") {
  CHECK(run(one("random_crop", {}, 16), sample_picture(20, 30)).width == 16);
  CHECK_THROWS_AS(run(one("random_crop", {}, 32), sample_picture(20, 30)), ShapeError);
}

TEST_CASE("normalize: steps of torchvision in f32, channel order of the net") {
  Image image(1, 1);
  image.pixels = {10, 128, 255};
  std::array<float, 3> out{};
  const Preprocessing rgb{.order = Channels::rgb,
                          .scale = 1.0 / 255,
                          .mean = {.485, .456, .406},
                          .std = {.229, .224, .225}};
  normalize(image, rgb, value_table(rgb), out.data());
  CHECK(out[0] == (10.0F / 255.0F - 0.485F) / 0.229F);
  CHECK(out[2] == (1.0F - 0.406F) / 0.225F);
  const Preprocessing bgr{.order = Channels::bgr, .scale = 1, .mean = {104, 117, 128}};
  normalize(image, bgr, value_table(bgr), out.data());
  CHECK(out[0] == 255 - 104);
  CHECK(out[1] == doctest::Approx(128 - 117));
  CHECK(out[2] == doctest::Approx(10 - 128));
  CHECK(describe(bgr) == "BGR, 0..255, mean 104 117 128, std 1 1 1");
}

TEST_CASE("augment: schemes give pictures of the net's size, train and test") {
  for (const std::string& name : Registry<Augment>::names())
    for (const std::int64_t size : {64, 224, 227}) {
      const auto augment = Registry<Augment>::make(name, {}, {size});
      for (const Pipeline& pipeline : {augment->train(), augment->test()}) {
        const Image image = run(pipeline, sample_picture(150, 130));
        CHECK(Size{image.height, image.width} == Size{size, size});
      }
    }
  CHECK_THROWS_AS(Registry<Augment>::make("standard", {{"min_area", "2"}}, {224}), UsageError);
}

}  // namespace
}  // namespace dml
