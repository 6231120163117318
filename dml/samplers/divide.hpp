#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/random.hpp"

namespace dml {

/// How batches are drawn from one cluster.
struct ClusterDraw {
  std::int64_t batch = 80;
  std::int64_t images = 2;                   ///< of a class
  std::string kind = "adaptbalanced";        ///< @see DivideSampler
  std::string small_class = "sample_other";  ///< what is done about classes of fewer images
};

/// The batches of one epoch from the classes of one cluster (lists of images).
/// adaptbalanced: as many classes as fit, without replacement; the images of a class are dealt from
/// a list that is shuffled anew when it is used up. floor(images / batch) batches; a cluster of
/// fewer images than a batch gives one smaller batch, or none where it has a single class.
std::vector<std::vector<std::int64_t>> cluster_batches(
    const std::vector<std::vector<std::int64_t>>& classes, const ClusterDraw& draw,
    RandomSequence& random);

/// The batches of all clusters in turn, as many rounds as the longest has; the others begin again.
std::vector<std::vector<std::int64_t>> in_turn(
    const std::vector<std::vector<std::vector<std::int64_t>>>& clusters);

}  // namespace dml
