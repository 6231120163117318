#include "dml/divide/division.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "dml/retrieval/kmeans.hpp"

namespace dml::division {
namespace {

constexpr std::int64_t trials = 30;
constexpr std::int64_t first_seed = 1234;

Tensor rows_of(const Tensor& x, const std::vector<std::int64_t>& rows) {
  Tensor result = Tensor::empty({static_cast<std::int64_t>(rows.size()), x.dim(1)}, DType::f32);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto from = x.row<float>(rows[i]);
    std::copy(from.begin(), from.end(), result.row<float>(static_cast<std::int64_t>(i)).begin());
  }
  return result;
}

/// k-means from one seed after the other until the clusters are balanced; the last try counts.
Clusters cluster(Device& device, const Tensor& x, std::span<const std::int64_t> labels,
                 std::int64_t count, std::int64_t seed) {
  if (count == 1) return Clusters(labels.size(), 0);
  Clusters found;
  for (std::int64_t trial = 0; trial < trials; ++trial) {
    found = kmeans(device, x,
                   {.clusters = count, .iterations = 100, .restarts = 1, .seed = seed + trial})
                .cluster;
    if (balanced(found, labels, count)) break;
  }
  return found;
}

/// One run of k-means from where the previous clusters lie now.
Clusters adapted(Device& device, const Tensor& x, std::span<const std::int64_t> previous,
                 std::int64_t count) {
  if (count == 1) return Clusters(previous.size(), 0);
  const std::int64_t d = x.dim(1);
  std::vector<double> sums(static_cast<std::size_t>(count * d));
  std::vector<double> images(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < previous.size(); ++i) {
    if (previous[i] == none) continue;
    const auto row = x.row<float>(static_cast<std::int64_t>(i));
    for (std::int64_t c = 0; c < d; ++c)
      sums[static_cast<std::size_t>(previous[i] * d + c)] +=
          static_cast<double>(row[static_cast<std::size_t>(c)]);
    ++images[static_cast<std::size_t>(previous[i])];
  }
  Tensor means = Tensor::empty({count, d}, DType::f32);
  for (std::int64_t k = 0; k < count; ++k) {
    const double held = images[static_cast<std::size_t>(k)];
    for (std::int64_t c = 0; c < d; ++c)  // of no images: some image
      means.raw<float>()[k * d + c] =
          held > 0 ? static_cast<float>(sums[static_cast<std::size_t>(k * d + c)] / held)
                   : x.row<float>(k)[static_cast<std::size_t>(c)];
  }
  return kmeans(device, x, {.clusters = count, .iterations = 100, .restarts = 1, .centres = means})
      .cluster;
}

}  // namespace

Clusters divide_images(Device& device, const Tensor& x, std::span<const std::int64_t> labels,
                       std::span<const std::int64_t> previous, const DivisionOptions& options) {
  if (options.clusters > x.dim(0))
    throw UsageError(fmt::format("{} clusters were asked for, there are {} training images",
                                 options.clusters, x.dim(0)));
  RandomSequence sequence(Random(static_cast<std::uint64_t>(options.random_seed.value_or(0)),
                                 Purpose::cluster, static_cast<std::uint64_t>(options.epoch)));
  const auto seed = [&] {
    return options.random_seed ? static_cast<std::int64_t>(sequence.below(999999)) : first_seed;
  };
  Clusters clusters = options.adaptive && !previous.empty()
                          ? adapted(device, x, previous, options.clusters)
                          : cluster(device, x, labels, options.clusters, seed());
  if (!previous.empty())
    clusters =
        renamed(clusters, match(previous, clusters, options.clusters), options.published_matching);
  if (options.halve) {
    Clusters second(clusters.size(), 0);
    for (std::int64_t c = 0; c < options.clusters; ++c) {
      std::vector<std::int64_t> rows, own;
      for (std::size_t i = 0; i < clusters.size(); ++i)
        if (clusters[i] == c) {
          rows.push_back(static_cast<std::int64_t>(i));
          own.push_back(labels[i]);
        }
      const std::int64_t from = seed();
      if (rows.size() < 2) continue;
      const Clusters halves = cluster(device, rows_of(x, rows), own, 2, from);
      for (std::size_t i = 0; i < rows.size(); ++i)
        second[static_cast<std::size_t>(rows[i])] = halves[i];
    }
    clusters = halved(clusters, second);
  }
  return without_lonely(std::move(clusters), labels);
}

}  // namespace dml::division
