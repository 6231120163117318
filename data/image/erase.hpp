#pragma once
#include <array>

#include "data/transform.hpp"
#include "engine/check.hpp"

namespace dml {

/// Paints a rectangle of an input [height, width, 3] that is already normalised, in place: random
/// erasing (Zhong et al., AAAI 2020) as the published systems do it, after the normalisation.
/// @throws ShapeError when the box is not inside.
inline void erase(float* values, Size size, const Box& box, const std::array<float, 3>& colour) {
  DML_CHECK(box.left >= 0 && box.top >= 0 && box.left + box.width <= size.width &&
                box.top + box.height <= size.height,
            "erase: the box is not inside the picture");
  for (std::int64_t y = box.top; y < box.top + box.height; ++y)
    for (std::int64_t x = box.left; x < box.left + box.width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        values[(y * size.width + x) * 3 + c] = colour[static_cast<std::size_t>(c)];
}

}  // namespace dml
