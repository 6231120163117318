#pragma once
#include "data/transform.hpp"

namespace dml {

/// The picture moved by (right, down) pixels and turned counter-clockwise around its middle
/// (width / 2, height / 2), bilinear; what comes in from outside is mirrored at the edge.
/// @param angle  in radians
Image turned(const Image& from, double angle, double right, double down);

}  // namespace dml
