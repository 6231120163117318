#include "dml/samplers/batch_match.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "dml/retrieval/spectrum.hpp"

namespace dml {
namespace {

constexpr double ridge = 1e-8;
constexpr std::size_t bins = 50;

/// L_a^T L_b of two lower triangles: its singular values are the roots of the eigenvalues of
/// (L_a L_a^T)(L_b L_b^T).
Tensor product(const std::vector<double>& a, const std::vector<double>& b, std::int64_t d) {
  Tensor result(Shape{d, d}, DType::f64);
  for (std::int64_t k = 0; k < d; ++k)
    for (std::int64_t i = 0; i <= k; ++i)
      for (std::int64_t j = 0; j <= k; ++j)
        result.raw<double>()[i * d + j] +=
            a[static_cast<std::size_t>(k * d + i)] * b[static_cast<std::size_t>(k * d + j)];
  return result;
}

std::vector<double> mean_of_rows(const Points& points) {
  std::vector<double> mean(static_cast<std::size_t>(points.d), 0);
  for (std::int64_t i = 0; i < points.n; ++i)
    for (std::size_t c = 0; c < mean.size(); ++c)
      mean[c] += points.row(i)[c] / static_cast<double>(points.n);
  return mean;
}

std::vector<double> deviation_of_rows(const Points& points, const std::vector<double>& mean) {
  std::vector<double> deviation(mean.size(), 0);
  for (std::int64_t i = 0; i < points.n; ++i)
    for (std::size_t c = 0; c < mean.size(); ++c) {
      const double apart = points.row(i)[c] - mean[c];
      deviation[c] += apart * apart / static_cast<double>(points.n);
    }
  for (double& one : deviation) one = std::sqrt(one);
  return deviation;
}

/// Calls body(distance) for every pair.
template <class Body> void over_pairs(const Points& points, Body body) {
  for (std::int64_t i = 0; i < points.n; ++i)
    for (std::int64_t j = i + 1; j < points.n; ++j)
      body(std::sqrt(squared_distance(points.row(i), points.row(j))));
}

}  // namespace

FrechetCost::FrechetCost(const Points& big) : big_(big, ridge) {}

double FrechetCost::operator()(const Points& small) const {
  const Gaussian other(small, ridge);
  const std::vector<double> roots = singular_values(product(big_.root(), other.root(), small.d), 1);
  return squared_distance(big_.mean(), other.mean()) + big_.trace() + other.trace() -
         2 * std::accumulate(roots.begin(), roots.end(), 0.0);
}

HistogramCost::HistogramCost(const Points& big)
    : mean_(mean_of_rows(big)), deviation_(deviation_of_rows(big, mean_)) {
  low_ = std::numeric_limits<double>::infinity();
  high_ = -low_;
  over_pairs(big, [&](double distance) {
    low_ = std::min(low_, distance);
    high_ = std::max(high_, distance);
  });
  heights_ = sorted_heights(big);
}

std::vector<double> HistogramCost::sorted_heights(const Points& points) const {
  std::vector<double> heights(bins, 0);
  double counted = 0;
  over_pairs(points, [&](double distance) {
    if (distance < low_ || distance > high_) return;
    const double place = high_ > low_ ? (distance - low_) / (high_ - low_) : 0;
    ++heights[std::min(bins - 1, static_cast<std::size_t>(place * static_cast<double>(bins)))];
    ++counted;
  });
  if (counted > 0)
    for (double& height : heights) height /= counted;
  std::sort(heights.begin(), heights.end());
  return heights;
}

double HistogramCost::operator()(const Points& small) const {
  const std::vector<double> mean = mean_of_rows(small);
  const std::vector<double> deviation = deviation_of_rows(small, mean);
  const std::vector<double> heights = sorted_heights(small);
  double apart = 0;  // of two samples of equally many numbers: the mean difference in order
  for (std::size_t i = 0; i < bins; ++i) apart += std::abs(heights[i] - heights_[i]);
  return std::sqrt(squared_distance(mean_, mean)) +
         std::sqrt(squared_distance(deviation_, deviation)) +
         150 * apart / static_cast<double>(bins);
}

std::int64_t first_least(const std::vector<double>& costs) {
  return std::min_element(costs.begin(), costs.end()) - costs.begin();
}

}  // namespace dml
