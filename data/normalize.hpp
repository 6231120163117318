#pragma once
#include <array>
#include <string>

#include "data/transform.hpp"
#include "engine/preprocessing.hpp"

namespace dml {

/// What every pixel value 0..255 becomes, per channel in the net's order: [3][256]. In f32:
///   x = v / 255;  if scale is not 1/255: x = x * (255 scale);  result = (x - mean) / std
/// the steps of torchvision's ToTensor and Normalize, so results agree with them bit for bit.
std::array<std::array<float, 256>, 3> value_table(const Preprocessing& preprocessing);

/// Writes [height, width, 3] numbers in the net's channel order to `out`.
void normalize(const Image& image, const Preprocessing& preprocessing,
               const std::array<std::array<float, 256>, 3>& table, float* out);

/// For messages: "BGR, 0..255, mean 104 117 128, std 1 1 1".
std::string describe(const Preprocessing& preprocessing);

}  // namespace dml
