#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "dml/sampler.hpp"

namespace dml {

/// Classes times images of a batch, from what the user gave.
struct BatchShape {
  std::int64_t classes = 0;
  std::int64_t images = 0;
  std::int64_t size() const { return classes * images; }
};

/// The shape of batches of `images` images of each class: `classes` of them, or (0) as many as the
/// batch size, or else `fallback`, holds. @throws UsageError when they do not go together, or (with
/// `distinct`) the training set has fewer classes.
BatchShape batch_shape(const Sampler::Setup& setup, std::int64_t images, std::int64_t classes,
                       std::int64_t fallback, std::int64_t available, bool distinct);

/// n images of a class: without replacement where it has that many, with replacement otherwise.
std::vector<std::int64_t> draw_images(const std::vector<std::int64_t>& members, std::int64_t n,
                                      RandomSequence& random);

/// n different numbers below `count`, in random order.
std::vector<std::int64_t> draw_distinct(std::int64_t count, std::int64_t n, RandomSequence& random);

/// An index drawn with probability proportional to weights, which are >= 0 and not all 0.
std::int64_t draw_weighted(const std::vector<double>& weights, RandomSequence& random);

}  // namespace dml
