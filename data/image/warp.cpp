#include "data/image/warp.hpp"

#include <cmath>

namespace dml {
namespace {

/// A place outside of 0 .. size - 1, mirrored at the first or the last pixel.
std::int64_t mirrored(std::int64_t at, std::int64_t size) {
  if (size == 1) return 0;
  const std::int64_t period = 2 * (size - 1);
  at = ((at % period) + period) % period;
  return at < size ? at : period - at;
}

}  // namespace

Image turned(const Image& from, double angle, double right, double down) {
  const double c = std::cos(angle), s = std::sin(angle);
  const double middle_x = static_cast<double>(from.width) / 2;
  const double middle_y = static_cast<double>(from.height) / 2;
  Image to(from.height, from.width);
  for (std::int64_t y = 0; y < to.height; ++y)
    for (std::int64_t x = 0; x < to.width; ++x) {
      const double dx = static_cast<double>(x) - right - middle_x;
      const double dy = static_cast<double>(y) - down - middle_y;
      const double at_x = c * dx - s * dy + middle_x, at_y = s * dx + c * dy + middle_y;
      const double left = std::floor(at_x), top = std::floor(at_y);
      const double share_x = at_x - left, share_y = at_y - top;
      const std::int64_t x0 = mirrored(static_cast<std::int64_t>(left), from.width);
      const std::int64_t x1 = mirrored(static_cast<std::int64_t>(left) + 1, from.width);
      const std::uint8_t* row0 = from.row(mirrored(static_cast<std::int64_t>(top), from.height));
      const std::uint8_t* row1 =
          from.row(mirrored(static_cast<std::int64_t>(top) + 1, from.height));
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const double above =
            row0[3 * x0 + channel] * (1 - share_x) + row0[3 * x1 + channel] * share_x;
        const double below =
            row1[3 * x0 + channel] * (1 - share_x) + row1[3 * x1 + channel] * share_x;
        to.row(y)[3 * x + channel] =
            static_cast<std::uint8_t>(std::lround(above * (1 - share_y) + below * share_y));
      }
    }
  return to;
}

}  // namespace dml
