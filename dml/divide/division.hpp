#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "dml/divide/clusters.hpp"
#include "engine/device.hpp"
#include "engine/random.hpp"

namespace dml::division {

/// @see divide_images
struct DivisionOptions {
  std::int64_t clusters = 1;        ///< wanted of this clustering, before any halving
  bool halve = false;               ///< every cluster is cut in two afterwards
  bool published_matching = false;  ///< @see renamed
  bool adaptive = false;  ///< k-means begins, in one run, with the means of `previous`, if any
  std::optional<std::int64_t> random_seed{};  ///< none: k-means begins with 1234 every time
  std::int64_t epoch = 0;
};

/// Clusters the training images by k-means, with up to 30 beginnings until every cluster holds two
/// classes of two images; names the clusters after those of `previous` that they continue (where it
/// is not empty); halves them if asked to; leaves out images that are alone of their class.
/// @param x  [n, d] f32, host, finite
Clusters divide_images(Device& device, const Tensor& x, std::span<const std::int64_t> labels,
                       std::span<const std::int64_t> previous, const DivisionOptions& options);

}  // namespace dml::division
