#pragma once
#include <cstdint>

#include "data/transform.hpp"

namespace dml {

/// The colour of one CMYK pixel (inks, 255 = full) as Pillow converts it:
/// R = clip((255 - K) - (255 - K) C / 255), the product rounded.
inline void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb) {
  const int white = 255 - cmyk[3];
  for (int c = 0; c < 3; ++c) {
    const int product = cmyk[c] * white + 128;
    const int ink = ((product >> 8) + product) >> 8;
    const int value = white - ink;
    rgb[c] = static_cast<std::uint8_t>(value < 0 ? 0 : value);
  }
}

}  // namespace dml
