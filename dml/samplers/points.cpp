#include "dml/samplers/points.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace dml {

Points Points::of(const Tensor& x) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(x.dim(0)));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  return of(x, rows);
}

Points Points::of(const Tensor& x, std::span<const std::int64_t> rows) {
  Points points{.n = std::ssize(rows), .d = x.dim(1)};
  points.values.reserve(static_cast<std::size_t>(points.n * points.d));
  visit_float(x.dtype(), [&]<class T>() {
    for (const std::int64_t row : rows)
      for (std::int64_t c = 0; c < points.d; ++c)
        points.values.push_back(static_cast<double>(x.raw<T>()[row * points.d + c]));
  });
  return points;
}

Points Points::at(std::span<const std::int64_t> rows) const {
  Points some{.n = std::ssize(rows), .d = d};
  some.values.reserve(static_cast<std::size_t>(some.n * d));
  for (const std::int64_t i : rows) {
    const auto one = row(i);
    some.values.insert(some.values.end(), one.begin(), one.end());
  }
  return some;
}

double squared_distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

Gaussian::Gaussian(const Points& points, double ridge)
    : d_(points.d),
      mean_(static_cast<std::size_t>(points.d), 0),
      covariance_(static_cast<std::size_t>(points.d * points.d), 0) {
  const double n = static_cast<double>(points.n);
  for (std::int64_t i = 0; i < points.n; ++i)
    for (std::size_t c = 0; c < mean_.size(); ++c) mean_[c] += points.row(i)[c] / n;
  std::vector<double> centred(mean_.size());
  for (std::int64_t i = 0; i < points.n; ++i) {
    for (std::size_t c = 0; c < mean_.size(); ++c) centred[c] = points.row(i)[c] - mean_[c];
    for (std::size_t a = 0; a < mean_.size(); ++a)
      for (std::size_t b = 0; b <= a; ++b)
        covariance_[a * mean_.size() + b] += centred[a] * centred[b] / std::max(n - 1, 1.0);
  }
  for (std::size_t c = 0; c < mean_.size(); ++c) trace_ += covariance_[c * mean_.size() + c];
  const double variance = trace_ > 0 ? trace_ / static_cast<double>(d_) : 1;
  for (double more = 1e-10; !factorise(ridge); more *= 10) ridge = variance * more;
}

/// Cholesky's decomposition. False when the matrix is singular to rounding.
bool Gaussian::factorise(double ridge) {
  const auto d = static_cast<std::size_t>(d_);
  root_.assign(d * d, 0);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double rest = covariance_[i * d + j] + (i == j ? ridge : 0);
      const double whole = rest;
      for (std::size_t k = 0; k < j; ++k) rest -= root_[i * d + k] * root_[j * d + k];
      if (i == j && !(rest > 1e-14 * whole)) return false;
      root_[i * d + j] = i == j ? std::sqrt(rest) : rest / root_[j * d + j];
    }
  return true;
}

double Gaussian::log_density(std::span<const double> x) const {
  const auto d = static_cast<std::size_t>(d_);
  std::vector<double> whitened(d);
  double square = 0;
  for (std::size_t i = 0; i < d; ++i) {
    double rest = x[i] - mean_[i];
    for (std::size_t k = 0; k < i; ++k) rest -= root_[i * d + k] * whitened[k];
    whitened[i] = rest / root_[i * d + i];
    square += whitened[i] * whitened[i];
  }
  return -square / 2;
}

std::vector<double> Gaussian::draw(RandomSequence& random) const {
  const auto d = static_cast<std::size_t>(d_);
  std::vector<double> normal(d), x = mean_;
  for (double& value : normal) value = random.normal();
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t k = 0; k <= i; ++k) x[i] += root_[i * d + k] * normal[k];
  return x;
}

}  // namespace dml
