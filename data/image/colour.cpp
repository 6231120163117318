#include "data/image/colour.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace dml {
namespace {

/// Pillow's "L": red, green and blue in parts of 65536, rounded.
std::uint8_t luma(const std::uint8_t* pixel) {
  return static_cast<std::uint8_t>(
      (pixel[0] * 19595U + pixel[1] * 38470U + pixel[2] * 7471U + 0x8000U) >> 16U);
}

/// from + factor (to - from), cut off to whole numbers of a byte.
std::uint8_t blended(std::uint8_t from, std::uint8_t to, float factor) {
  // The product is rounded to a float before it is added, as in Pillow; a fused one is not.
  const auto move = static_cast<float>(static_cast<double>(factor) * (int{to} - int{from}));
  const float value = static_cast<float>(from) + move;
  return static_cast<std::uint8_t>(std::clamp(value, 0.0F, 255.0F));
}

/// Calls change(pixel) for every pixel, three bytes each.
template <class Change> void for_each_pixel(Image& image, const Change& change) {
  std::uint8_t* pixel = image.pixels.data();
  for (std::int64_t i = 0; i < image.height * image.width; ++i, pixel += 3) change(pixel);
}

struct Hsv {
  std::uint8_t hue, saturation, value;
};

std::uint8_t part_of_255(float share) {
  return static_cast<std::uint8_t>(std::clamp(static_cast<int>(share * 255.0), 0, 255));
}

Hsv to_hsv(const std::uint8_t* pixel) {
  const auto [least, most] = std::minmax({pixel[0], pixel[1], pixel[2]});
  if (least == most) return {0, 0, most};
  const auto range = static_cast<float>(most - least);
  const auto below = [&, top = most](int channel) {
    return static_cast<float>(top - pixel[channel]) / range;
  };
  float hue = 0;
  if (pixel[0] == most)
    hue = below(2) - below(1);
  else if (pixel[1] == most)
    hue = static_cast<float>(2.0 + below(0) - below(2));
  else
    hue = static_cast<float>(4.0 + below(1) - below(0));
  hue = static_cast<float>(std::fmod(hue / 6.0 + 1.0, 1.0));
  return {part_of_255(hue), part_of_255(range / static_cast<float>(most)), most};
}

void from_hsv(const Hsv& from, std::uint8_t* pixel) {
  const std::uint8_t v = from.value;
  if (from.saturation == 0) {
    std::fill_n(pixel, 3, v);
    return;
  }
  const double sixth = static_cast<float>(from.hue) * 6.0 / 255.0;
  const int sector = static_cast<int>(std::floor(sixth));
  const auto rest = static_cast<float>(sixth - static_cast<float>(sector));
  const auto share = static_cast<float>(static_cast<float>(from.saturation) / 255.0);
  const auto scaled = [v](double by) {
    return static_cast<std::uint8_t>(std::clamp(std::lround(v * by), 0L, 255L));
  };
  const std::uint8_t low = scaled(1.0 - share);
  const std::uint8_t falling = scaled(1.0 - share * rest);
  const std::uint8_t rising = scaled(1.0 - share * (1.0 - rest));
  const std::array<std::array<std::uint8_t, 3>, 6> sectors{{{v, rising, low},
                                                            {falling, v, low},
                                                            {low, v, rising},
                                                            {low, falling, v},
                                                            {rising, low, v},
                                                            {v, low, falling}}};
  std::copy_n(sectors[static_cast<std::size_t>(sector % 6)].begin(), 3, pixel);
}

}  // namespace

void change_brightness(Image& image, float factor) {
  for (std::uint8_t& value : image.pixels) value = blended(0, value, factor);
}

void change_contrast(Image& image, float factor) {
  double sum = 0;
  for_each_pixel(image, [&](const std::uint8_t* pixel) { sum += luma(pixel); });
  const double mean = sum / static_cast<double>(image.height * image.width);
  const auto grey = static_cast<std::uint8_t>(mean + 0.5);
  for (std::uint8_t& value : image.pixels) value = blended(grey, value, factor);
}

void change_saturation(Image& image, float factor) {
  for_each_pixel(image, [&](std::uint8_t* pixel) {
    const std::uint8_t grey = luma(pixel);
    for (int c = 0; c < 3; ++c) pixel[c] = blended(grey, pixel[c], factor);
  });
}

void turn_hue(Image& image, double share) {
  const auto by = static_cast<std::uint8_t>(static_cast<int>(share * 255));
  for_each_pixel(image, [&](std::uint8_t* pixel) {
    Hsv colour = to_hsv(pixel);
    colour.hue = static_cast<std::uint8_t>(colour.hue + by);
    from_hsv(colour, pixel);
  });
}

void make_grey(Image& image) {
  for_each_pixel(image, [](std::uint8_t* pixel) { std::fill_n(pixel, 3, luma(pixel)); });
}

}  // namespace dml
