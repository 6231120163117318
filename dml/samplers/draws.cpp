#include "dml/samplers/draws.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

namespace dml {

BatchShape batch_shape(const Sampler::Setup& setup, std::int64_t images, std::int64_t classes,
                       std::int64_t fallback, std::int64_t available, bool distinct) {
  const std::int64_t wanted = setup.batch_size != 0 ? setup.batch_size : fallback;
  if (classes == 0) {
    if (wanted % images != 0)
      throw UsageError(
          fmt::format("a batch of {} cannot hold {} images of every class\n"
                      "  take a batch size that is a multiple of {}",
                      wanted, images, images));
    classes = wanted / images;
  } else if (setup.batch_size != 0 && setup.batch_size != classes * images) {
    throw UsageError(fmt::format("a batch of {} was asked for, {} classes times {} images make {}",
                                 setup.batch_size, classes, images, classes * images));
  }
  if (classes < 1 || (distinct && classes > available))
    throw UsageError(
        fmt::format("{} different classes in a batch were asked for, the training set has {}\n"
                    "  take a smaller batch or more images of each class",
                    classes, available));
  return {classes, images};
}

std::vector<std::int64_t> draw_images(const std::vector<std::int64_t>& members, std::int64_t n,
                                      RandomSequence& random) {
  std::vector<std::int64_t> drawn;
  if (std::ssize(members) < n) {
    while (std::ssize(drawn) < n) drawn.push_back(members[random.below(members.size())]);
    return drawn;
  }
  for (const std::int64_t i : draw_distinct(std::ssize(members), n, random))
    drawn.push_back(members[static_cast<std::size_t>(i)]);
  return drawn;
}

std::vector<std::int64_t> draw_distinct(std::int64_t count, std::int64_t n,
                                        RandomSequence& random) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  for (std::int64_t i = 0; i < n; ++i) {
    const auto other =
        i + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count - i)));
    std::swap(all[static_cast<std::size_t>(i)], all[static_cast<std::size_t>(other)]);
  }
  all.resize(static_cast<std::size_t>(n));
  return all;
}

std::int64_t draw_weighted(const std::vector<double>& weights, RandomSequence& random) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  double left = random.uniform() * sum;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = static_cast<std::int64_t>(i);
    left -= weights[i];
    if (left < 0) break;
  }
  return last;  // rounding of the sum cannot lead beyond the last that has a weight
}

}  // namespace dml
