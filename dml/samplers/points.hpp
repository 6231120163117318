#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/random.hpp"
#include "engine/tensor.hpp"

namespace dml {

/// Some rows of a matrix in f64: what samplers choose batches by.
struct Points {
  std::int64_t n = 0;
  std::int64_t d = 0;
  std::vector<double> values{};  ///< [n, d]

  /// All rows of x [n, d], or the given ones.
  static Points of(const Tensor& x);
  static Points of(const Tensor& x, std::span<const std::int64_t> rows);
  /// Some of these points.
  Points at(std::span<const std::int64_t> rows) const;
  std::span<const double> row(std::int64_t i) const {
    return {values.data() + i * d, static_cast<std::size_t>(d)};
  }
};

/// ||a - b||^2
double squared_distance(std::span<const double> a, std::span<const double> b);

/// The normal distribution with the mean and covariance (divided by n - 1) of some points.
class Gaussian {
 public:
  /// @param ridge  added to the diagonal of the covariance. Where the covariance is singular all
  /// the
  ///               same, the smallest power of ten of its mean variance that helps is added, from
  ///               1e-10 on.
  explicit Gaussian(const Points& points, double ridge = 0);

  std::span<const double> mean() const { return mean_; }
  /// The lower triangle L with L L^T = covariance + ridge, [d, d].
  const std::vector<double>& root() const { return root_; }
  /// The sum of the variances, without the ridge.
  double trace() const { return trace_; }
  /// log of the density, up to a constant.
  double log_density(std::span<const double> x) const;
  std::vector<double> draw(RandomSequence& random) const;

 private:
  bool factorise(double ridge);

  std::int64_t d_;
  std::vector<double> mean_, covariance_, root_;
  double trace_ = 0;
};

}  // namespace dml
