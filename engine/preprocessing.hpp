#pragma once
#include <array>
#include <cstdint>
#include <string>

namespace dml {

/// The order of the colour channels that a net reads.
enum class Channels : std::uint8_t { rgb, bgr };

/// How the pixels of a picture become the input of a net:
///   y[k] = (scale * pixel[order[k]] - mean[k]) / std[k],  pixel in 0..255.
/// A net states it, weights carry it, the loader obeys.
struct Preprocessing {
  Channels order = Channels::rgb;
  double scale = 1.0 / 255;
  std::array<double, 3> mean{0, 0, 0};  ///< in the order of the output's channels
  std::array<double, 3> std{1, 1, 1};   ///< in the order of the output's channels

  bool operator==(const Preprocessing&) const = default;
};

/// As JSON: {"mean":[..],"order":"rgb","scale":..,"std":[..]}; reads back to the same numbers.
std::string to_json(const Preprocessing& preprocessing);

/// @throws FormatError when the text is not what to_json writes.
Preprocessing preprocessing_from_json(const std::string& text);

}  // namespace dml
