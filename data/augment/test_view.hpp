#pragma once
#include "data/transform.hpp"

namespace dml {

/// The length of the shorter side from which a square of `size` is cut: 256 for sizes 224 to 227,
/// as published, else 8/7 of size.
inline std::int64_t shorter_side(std::int64_t size) {
  return size >= 224 && size <= 227 ? 256 : (size * 8 + 3) / 7;
}

/// How the published systems look at a test image: shorter side to 256, square of 224 (or 227) from
/// the middle. Other sizes keep that proportion.
/// @param shorter  the length of the shorter side; 0: shorter_side(size).
inline Pipeline test_view(std::int64_t size, std::int64_t shorter = 0) {
  if (shorter == 0) shorter = shorter_side(size);
  Pipeline pipeline;
  pipeline.then("resize_shorter", {{"to", std::to_string(shorter)}}, {size});
  pipeline.then("center_crop", {}, {size});
  return pipeline;
}

}  // namespace dml
