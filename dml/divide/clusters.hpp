#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace dml::division {

/// The cluster of every image; `none` where it belongs to none.
using Clusters = std::vector<std::int64_t>;
inline constexpr std::int64_t none = -1;

/// The one-to-one assignment of rows to columns of least total cost (Hungarian method).
/// @param costs  [n][n]   @return the column of every row
std::vector<std::int64_t> least_assignment(const std::vector<std::vector<std::int64_t>>& costs);

/// How a clustering goes on from the one before.
struct Matching {
  /// [current][previous] how many images are in exactly one of the two clusters
  std::vector<std::vector<std::int64_t>> costs;
  std::vector<std::int64_t> previous;  ///< which previous cluster every current one continues
};

/// Matches clusters, so that learners keep their images. Images without a previous cluster belong
/// to none.
/// @param count  of clusters, in both
Matching match(std::span<const std::int64_t> previous, std::span<const std::int64_t> current,
               std::int64_t count);

/// Current clusters under the names of those that they continue.
/// @param published  the published code names them by the inverse permutation, which is wrong
///                   unless it is its own inverse
Clusters renamed(std::span<const std::int64_t> current, const Matching& matching, bool published);

/// Cluster c cut in two, 2 c and 2 c + 1.   @param second  whether an image goes to the second half
Clusters halved(std::span<const std::int64_t> clusters, std::span<const std::int64_t> second);

/// Without images that are the only one of their class in their cluster.
Clusters without_lonely(Clusters clusters, std::span<const std::int64_t> labels);

/// Whether every one of `count` clusters holds at least 2 classes with at least 2 images each.
bool balanced(std::span<const std::int64_t> clusters, std::span<const std::int64_t> labels,
              std::int64_t count);

/// How many clusters there are: the largest name plus 1.
std::int64_t count_of(std::span<const std::int64_t> clusters);

}  // namespace dml::division
