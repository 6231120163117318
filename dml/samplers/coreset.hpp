#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dml/samplers/points.hpp"

namespace dml {

/// Points that cover all others: the next is always the one that is furthest from the selected
/// ones, by squared distance. The first scores are the lengths of the rows of the matrix of squared
/// distances, as in the published code of Roth et al., ICML 2020.
/// @param first     the first of the selection
/// @param softened  with a stream, the next is drawn evenly from the scores of the best three
///                  hundredths
/// @return          `count` indices (all points, if there are fewer), the first included
std::vector<std::int64_t> greedy_coreset(const Points& points, std::int64_t count,
                                         std::int64_t first, RandomSequence* softened = nullptr);

/// Points drawn far from each other and where points are dense: with probability in proportion to
/// pdf(x) * (sum of squared distances to the selected points)^lambda, pdf being that of a normal
/// distribution fitted to all points.
class D2Coreset {
 public:
  D2Coreset(const Points& points, double lambda);

  const Gaussian& fitted() const { return fitted_; }
  /// The point nearest to x, with which a selection begins.
  std::int64_t nearest(std::span<const double> x) const;
  void select(std::int64_t i);
  /// [n] of being selected next; 0 for the selected ones. They sum to 1, unless all are selected.
  std::vector<double> probabilities() const;

 private:
  const Points& points_;
  Gaussian fitted_;
  double lambda_;
  std::vector<double> log_density_, distance_;
  std::vector<bool> selected_;
};

}  // namespace dml
