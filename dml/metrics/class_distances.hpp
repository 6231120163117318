#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/tensor.hpp"

namespace dml {

/// How close the items of a class are to each other, and classes to each other, by 1 - cosine
/// (Roth et al., ICML 2020). One pass over the rows, memory classes x d.
struct ClassDistances {
  /// By ascending class: the mean over ordered pairs of its items; -1 for a class of one item.
  std::vector<double> per_class;
  /// The mean over classes, those of one item getting the largest value of another; NaN when all
  /// classes have one item.
  double intra = 0;
  /// The mean over ordered pairs of classes, between their mean rows; NaN for a single class.
  double inter = 0;
  /// intra / max(inter, 1e-8)
  double ratio() const;
};

/// @param x  [n, d] f32 or f64 on the host.  @param classes  [n]
ClassDistances class_distances(const Tensor& x, std::span<const std::int64_t> classes);

}  // namespace dml
