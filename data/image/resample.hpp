#pragma once
#include <cstdint>

#include "data/transform.hpp"

namespace dml {

/// Pillow's Image.resize(BILINEAR) bit for bit: a triangle filter that widens when the picture
/// shrinks (antialias), weights as integers of 22 bits, the horizontal pass first, rounded to 8
/// bits between the passes. A pass whose side keeps its size is left out.
/// @throws ShapeError when a side of either size is 0.
Image resize(const Image& image, Size size);

/// The part `window` of resize(image, size), without computing the rest.
/// @throws ShapeError when the window is empty or not inside.
Image resize_window(const Image& image, Size size, const Box& window);

}  // namespace dml
