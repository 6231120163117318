#include "data/normalize.hpp"

#include <fmt/format.h>

#include <cmath>

namespace dml {
namespace {

bool is_unit_scale(const Preprocessing& p) { return std::abs(p.scale * 255 - 1) < 1e-12; }

}  // namespace

// Compiled without contraction to fused multiply-add: each step rounds to f32, as torchvision's do.
std::array<std::array<float, 256>, 3> value_table(const Preprocessing& p) {
  std::array<std::array<float, 256>, 3> table;
  const float factor = static_cast<float>(p.scale * 255);
  for (std::size_t c = 0; c < 3; ++c) {
    const float mean = static_cast<float>(p.mean[c]);
    const float deviation = static_cast<float>(p.std[c]);
    for (std::size_t v = 0; v < 256; ++v) {
      float x = static_cast<float>(v) / 255.0F;
      if (!is_unit_scale(p)) x *= factor;
      table[c][v] = (x - mean) / deviation;
    }
  }
  return table;
}

void normalize(const Image& image, const Preprocessing& preprocessing,
               const std::array<std::array<float, 256>, 3>& table, float* out) {
  const std::size_t red = preprocessing.order == Channels::rgb ? 0 : 2;
  const std::array<float, 256>&r = table[red], &g = table[1], &b = table[2 - red];
  const std::uint8_t* pixel = image.pixels.data();
  const std::uint8_t* const end = pixel + image.pixels.size();
  for (; pixel != end; pixel += 3, out += 3) {
    out[red] = r[pixel[0]];
    out[1] = g[pixel[1]];
    out[2 - red] = b[pixel[2]];
  }
}

std::string describe(const Preprocessing& p) {
  const char* order = p.order == Channels::rgb ? "RGB" : "BGR";
  const std::string range = is_unit_scale(p) ? "1" : fmt::format("{:g}", p.scale * 255);
  return fmt::format("{}, 0..{}, mean {:g} {:g} {:g}, std {:g} {:g} {:g}", order, range, p.mean[0],
                     p.mean[1], p.mean[2], p.std[0], p.std[1], p.std[2]);
}

}  // namespace dml
