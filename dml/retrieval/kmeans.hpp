#pragma once
#include <cstdint>
#include <vector>

#include "engine/device.hpp"

namespace dml {

/// @see kmeans
struct KMeansOptions {
  std::int64_t clusters = 0;
  std::int64_t iterations = 20;
  std::int64_t restarts = 5;  ///< runs from other first centres, the best of which is kept
  std::int64_t seed = 1234;
  Tensor centres{};  ///< [clusters, d] f32 to begin with, for one run; undefined: rows are drawn
};

/// What k-means found.
struct Clustering {
  std::vector<std::int64_t> cluster;  ///< [n] of every row
  Tensor centres;                     ///< [clusters, d] f32, host
  double objective = 0;               ///< sum of squared distances to the nearest centre
};

/// k-means by Faiss: first centres drawn from the rows, empty clusters refilled by splitting large
/// ones, all rows used. Distances are matrix products on the device, in tiles; a row goes to the
/// nearest centre, the lower one of equally near ones. The same seed, device and number of threads
/// give the same clusters.
///
/// @param x  [n, d] f32, finite
/// @throws UsageError unless 1 <= clusters <= n.
Clustering kmeans(Device& device, const Tensor& x, const KMeansOptions& options);

}  // namespace dml
