#include "dml/samplers/coreset.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace dml {
namespace {

/// One of the scores that are at least the 97th percentile (interpolated between neighbours).
std::int64_t soft_maximum(const std::vector<double>& scores, RandomSequence& random) {
  std::vector<double> sorted = scores;
  std::sort(sorted.begin(), sorted.end());
  const double place = 0.97 * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(place);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  const double bar =
      sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
  std::vector<std::int64_t> best;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (scores[i] >= bar) best.push_back(static_cast<std::int64_t>(i));
  return best[random.below(best.size())];
}

}  // namespace

std::vector<std::int64_t> greedy_coreset(const Points& points, std::int64_t count,
                                         std::int64_t first, RandomSequence* softened) {
  std::vector<double> score(static_cast<std::size_t>(points.n));
  for (std::int64_t i = 0; i < points.n; ++i) {
    double squares = 0;
    for (std::int64_t j = 0; j < points.n; ++j) {
      const double distance = squared_distance(points.row(i), points.row(j));
      squares += distance * distance;
    }
    score[static_cast<std::size_t>(i)] = std::sqrt(squares);
  }
  std::vector<std::int64_t> selected{first};
  while (std::ssize(selected) < std::min(count, points.n)) {
    for (std::int64_t i = 0; i < points.n; ++i) {
      double& own = score[static_cast<std::size_t>(i)];
      own = std::min(own, squared_distance(points.row(i), points.row(selected.back())));
    }
    // Of what coincides with the selection, nothing is selected twice.
    for (const std::int64_t i : selected) score[static_cast<std::size_t>(i)] = -1;
    selected.push_back(softened != nullptr
                           ? soft_maximum(score, *softened)
                           : std::max_element(score.begin(), score.end()) - score.begin());
  }
  return selected;
}

D2Coreset::D2Coreset(const Points& points, double lambda)
    : points_(points),
      fitted_(points),
      lambda_(lambda),
      distance_(static_cast<std::size_t>(points.n), 0),
      selected_(static_cast<std::size_t>(points.n), false) {
  for (std::int64_t i = 0; i < points.n; ++i)
    log_density_.push_back(fitted_.log_density(points.row(i)));
}

std::int64_t D2Coreset::nearest(std::span<const double> x) const {
  std::int64_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < points_.n; ++i) {
    const double distance = squared_distance(points_.row(i), x);
    if (distance >= least) continue;
    least = distance;
    best = i;
  }
  return best;
}

void D2Coreset::select(std::int64_t i) {
  selected_[static_cast<std::size_t>(i)] = true;
  for (std::int64_t j = 0; j < points_.n; ++j)
    distance_[static_cast<std::size_t>(j)] += squared_distance(points_.row(i), points_.row(j));
}

std::vector<double> D2Coreset::probabilities() const {
  // Densities of many dimensions leave the range of numbers; their logarithms do not.
  std::vector<double> weight(distance_.size(), -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < weight.size(); ++i)
    if (!selected_[i])
      weight[i] = log_density_[i] + (lambda_ == 0 ? 0 : lambda_ * std::log(distance_[i]));
  const double most = *std::max_element(weight.begin(), weight.end());
  if (!std::isfinite(most)) {  // all that is left coincides with the selection: draw evenly
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = selected_[i] ? 0 : 1;
  } else {
    for (double& one : weight) one = std::exp(one - most);
  }
  const double sum = std::accumulate(weight.begin(), weight.end(), 0.0);
  if (sum > 0)
    for (double& one : weight) one /= sum;
  return weight;
}

}  // namespace dml
