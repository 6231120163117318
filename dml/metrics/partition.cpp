#include "dml/metrics/partition.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/check.hpp"

namespace dml {
namespace {

template <class Counts> double entropy(const Counts& counts, double n) {
  double sum = 0;
  for (const auto& [part, count] : counts) sum -= count / n * std::log(count / n);
  return sum;
}

template <class Counts> double pairs_of(const Counts& counts) {
  double sum = 0;
  for (const auto& [part, count] : counts) sum += count * (count - 1) / 2;
  return sum;
}

/// How many parts there are of every size.
template <class Counts> std::map<std::int64_t, double> sizes(const Counts& counts) {
  std::map<std::int64_t, double> result;
  for (const auto& [part, count] : counts) ++result[static_cast<std::int64_t>(count)];
  return result;
}

/// The sum over the possible overlaps of two parts of sizes a and b out of n items of what the
/// overlap adds to mutual information, times its probability.
double expected_of_parts(std::int64_t a, std::int64_t b, std::int64_t n,
                         const std::vector<double>& log_factorial) {
  const auto lf = [&](std::int64_t i) { return log_factorial[static_cast<std::size_t>(i)]; };
  const double count = static_cast<double>(n);
  double sum = 0;
  for (std::int64_t both = std::max<std::int64_t>(1, a + b - n); both <= std::min(a, b); ++both) {
    const double log_probability = lf(a) + lf(b) + lf(n - a) + lf(n - b) - lf(n) - lf(both) -
                                   lf(a - both) - lf(b - both) - lf(n - a - b + both);
    const double overlap = static_cast<double>(both);
    sum += overlap / count *
           std::log(count * overlap / (static_cast<double>(a) * static_cast<double>(b))) *
           std::exp(log_probability);
  }
  return sum;
}

}  // namespace

Overlap::Overlap(std::span<const std::int64_t> a, std::span<const std::int64_t> b)
    : items_(static_cast<double>(a.size())) {
  DML_CHECK(a.size() == b.size() && !a.empty(),
            fmt::format("partitions of {} and {} items cannot be compared", a.size(), b.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    ++in_a_[a[i]];
    ++in_b_[b[i]];
    ++in_both_[{a[i], b[i]}];
  }
}

double Overlap::information() const {
  double sum = 0;
  for (const auto& [parts, count] : in_both_)
    sum += count / items_ *
           std::log(items_ * count / (in_a_.at(parts.first) * in_b_.at(parts.second)));
  return std::max(0.0, sum);
}

double Overlap::entropy_a() const { return entropy(in_a_, items_); }
double Overlap::entropy_b() const { return entropy(in_b_, items_); }
double Overlap::pairs_a() const { return pairs_of(in_a_); }
double Overlap::pairs_b() const { return pairs_of(in_b_); }
double Overlap::pairs_both() const { return pairs_of(in_both_); }

double Overlap::expected_information() const {
  const std::int64_t n = static_cast<std::int64_t>(items_);
  std::vector<double> log_factorial(static_cast<std::size_t>(n) + 1, 0);
  for (std::size_t i = 2; i < log_factorial.size(); ++i)
    log_factorial[i] = std::lgamma(static_cast<double>(i) + 1);
  double sum = 0;  // over pairs of sizes, because many parts are of one size
  for (const auto& [a, times_a] : sizes(in_a_))
    for (const auto& [b, times_b] : sizes(in_b_))
      sum += times_a * times_b * expected_of_parts(a, b, n, log_factorial);
  return sum;
}

double normalised_mutual_information(std::span<const std::int64_t> a,
                                     std::span<const std::int64_t> b, NmiMean mean) {
  const Overlap overlap(a, b);
  if (overlap.in_a().size() == 1 && overlap.in_b().size() == 1) return 1;
  const double ha = overlap.entropy_a(), hb = overlap.entropy_b();
  const double divisor = mean == NmiMean::arithmetic ? (ha + hb) / 2 : std::sqrt(ha * hb);
  if (divisor <= 0) return 0;  // geometric, and one of the two has a single part
  return std::clamp(overlap.information() / divisor, 0.0, 1.0);
}

double adjusted_mutual_information(std::span<const std::int64_t> a,
                                   std::span<const std::int64_t> b) {
  const Overlap overlap(a, b);
  if (overlap.same()) return 1;
  const double expected = overlap.expected_information();
  const double surplus = overlap.information() - expected;
  const double most = (overlap.entropy_a() + overlap.entropy_b()) / 2 - expected;
  constexpr double nothing = 1e-14;  // both are rounding errors of the entropies
  if (std::abs(most) < nothing) return 0;
  return surplus / most;
}

double pair_f1(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  const Overlap overlap(a, b);
  const double both = overlap.pairs_both();
  return both > 0 ? 2 * both / (overlap.pairs_a() + overlap.pairs_b()) : 0;
}

}  // namespace dml
