#include "dml/samplers/tuple_weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dml {
namespace {

/// The other points of an anchor, by whether they are of its class: similarity or distance, index.
struct Others {
  std::vector<std::pair<double, std::int64_t>> positive, negative;
};

template <class Value>
Others others_of(const Points& points, std::span<const std::int64_t> classes, std::int64_t a,
                 Value value) {
  Others others;
  for (std::int64_t i = 0; i < points.n; ++i) {
    if (i == a) continue;
    const bool same = classes[static_cast<std::size_t>(i)] == classes[static_cast<std::size_t>(a)];
    (same ? others.positive : others.negative).emplace_back(value(points.row(a), points.row(i)), i);
  }
  return others;
}

double product(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += a[c] * b[c];
  return sum;
}

}  // namespace

std::vector<double> count_in_triplets(const Points& units, std::span<const std::int64_t> classes,
                                      double margin) {
  std::vector<double> count(static_cast<std::size_t>(units.n), 0);
  for (std::int64_t a = 0; a < units.n; ++a) {
    Others others = others_of(units, classes, a,
                              [](auto x, auto y) { return std::sqrt(squared_distance(x, y)); });
    std::sort(others.positive.begin(), others.positive.end());
    std::sort(others.negative.begin(), others.negative.end());
    // A negative that is near enough for one positive is so for every one further away.
    std::size_t near = 0;
    for (std::size_t p = 0; p < others.positive.size(); ++p) {
      const auto& [distance, positive] = others.positive[p];
      for (; near < others.negative.size() && others.negative[near].first - distance <= margin;
           ++near)
        count[static_cast<std::size_t>(others.negative[near].second)] +=
            static_cast<double>(others.positive.size() - p);
      count[static_cast<std::size_t>(positive)] += static_cast<double>(near);
      count[static_cast<std::size_t>(a)] += static_cast<double>(near);
    }
  }
  return count;
}

std::vector<double> count_in_similar_pairs(const Points& units,
                                           std::span<const std::int64_t> classes, double epsilon) {
  std::vector<double> count(static_cast<std::size_t>(units.n), 0);
  for (std::int64_t a = 0; a < units.n; ++a) {
    const Others others =
        others_of(units, classes, a, [](auto x, auto y) { return product(x, y); });
    if (others.positive.empty() || others.negative.empty()) continue;
    const double hardest_positive = std::ranges::min(others.positive).first;
    const double hardest_negative = std::ranges::max(others.negative).first;
    const auto add = [&](std::int64_t i) {
      ++count[static_cast<std::size_t>(a)];
      ++count[static_cast<std::size_t>(i)];
    };
    for (const auto& [similarity, i] : others.positive)
      if (similarity - epsilon < hardest_negative) add(i);
    for (const auto& [similarity, i] : others.negative)
      if (similarity + epsilon > hardest_positive) add(i);
  }
  return count;
}

}  // namespace dml
