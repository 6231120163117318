#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "dml/samplers/points.hpp"

namespace dml {

/// How unlike a small set of points is to a large one, in the sense of the Frechet inception
/// distance (Heusel et al., NeurIPS 2017):
///   ||mu_b - mu_s||^2 + tr C_b + tr C_s - 2 tr sqrt((C_b + 1e-8 I)(C_s + 1e-8 I)),
/// covariances divided by n - 1.
class FrechetCost {
 public:
  explicit FrechetCost(const Points& big);
  double operator()(const Points& small) const;

 private:
  Gaussian big_;
};

/// The same by distances between points: ||mu_b - mu_s|| + ||std_b - std_s|| + 150 W, W being the
/// Wasserstein distance between the 50 heights of the histograms of pairwise distances (each
/// divided by its sum, bins over the range of the large set), taken as two samples of 50 numbers,
/// as in the published code of Roth et al., ICML 2020. Standard deviations are divided by n.
class HistogramCost {
 public:
  explicit HistogramCost(const Points& big);
  double operator()(const Points& small) const;

 private:
  std::vector<double> sorted_heights(const Points& points) const;

  std::vector<double> mean_, deviation_, heights_;
  double low_ = 0, high_ = 0;
};

/// The index of the first least cost.
std::int64_t first_least(const std::vector<double>& costs);

}  // namespace dml
