#include "dml/divide/clusters.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "engine/check.hpp"

namespace dml::division {

/// Kuhn-Munkres with potentials, O(n^3): rows are added one after the other, each along the
/// cheapest alternating path.
std::vector<std::int64_t> least_assignment(const std::vector<std::vector<std::int64_t>>& costs) {
  const std::size_t n = costs.size();
  constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max() / 4;
  std::vector<std::int64_t> row_price(n + 1), column_price(n + 1);
  std::vector<std::size_t> row_of(n + 1), before(n + 1);  // column 0 and row 0 stand for "none"
  for (std::size_t row = 1; row <= n; ++row) {
    std::vector<std::int64_t> slack(n + 1, far);
    std::vector<bool> used(n + 1);
    row_of[0] = row;
    std::size_t column = 0;
    do {
      used[column] = true;
      const std::size_t from = row_of[column];
      std::int64_t least = far;
      std::size_t next = 0;
      for (std::size_t j = 1; j <= n; ++j) {
        if (used[j]) continue;
        const std::int64_t cost = costs[from - 1][j - 1] - row_price[from] - column_price[j];
        if (cost < slack[j]) {
          slack[j] = cost;
          before[j] = column;
        }
        if (slack[j] < least) {
          least = slack[j];
          next = j;
        }
      }
      for (std::size_t j = 0; j <= n; ++j) {
        if (used[j]) {
          row_price[row_of[j]] += least;
          column_price[j] -= least;
        } else {
          slack[j] -= least;
        }
      }
      column = next;
    } while (row_of[column] != 0);
    while (column != 0) {
      row_of[column] = row_of[before[column]];
      column = before[column];
    }
  }
  std::vector<std::int64_t> result(n);
  for (std::size_t j = 1; j <= n; ++j) result[row_of[j] - 1] = static_cast<std::int64_t>(j) - 1;
  return result;
}

Matching match(std::span<const std::int64_t> previous, std::span<const std::int64_t> current,
               std::int64_t count) {
  DML_CHECK(previous.size() == current.size(), "divide: clusterings of different images");
  const auto n = static_cast<std::size_t>(count);
  std::vector<std::int64_t> in_previous(n), in_current(n);
  std::vector<std::vector<std::int64_t>> both(n, std::vector<std::int64_t>(n));
  for (std::size_t i = 0; i < current.size(); ++i) {
    const std::int64_t p = previous[i], c = current[i];
    if (p >= 0) ++in_previous[static_cast<std::size_t>(p)];
    if (c >= 0) ++in_current[static_cast<std::size_t>(c)];
    if (p >= 0 && c >= 0) ++both[static_cast<std::size_t>(c)][static_cast<std::size_t>(p)];
  }
  Matching result{std::move(both), {}};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      result.costs[i][j] = in_current[i] + in_previous[j] - 2 * result.costs[i][j];
  result.previous = least_assignment(result.costs);
  return result;
}

Clusters renamed(std::span<const std::int64_t> current, const Matching& matching, bool published) {
  std::vector<std::int64_t> name = matching.previous;
  if (published)
    for (std::size_t i = 0; i < name.size(); ++i)
      name[static_cast<std::size_t>(matching.previous[i])] = static_cast<std::int64_t>(i);
  Clusters result;
  for (const std::int64_t one : current)
    result.push_back(one < 0 ? none : name[static_cast<std::size_t>(one)]);
  return result;
}

Clusters halved(std::span<const std::int64_t> clusters, std::span<const std::int64_t> second) {
  Clusters result(clusters.begin(), clusters.end());
  for (std::size_t i = 0; i < result.size(); ++i)
    if (result[i] >= 0) result[i] = 2 * result[i] + second[i];
  return result;
}

Clusters without_lonely(Clusters clusters, std::span<const std::int64_t> labels) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> images;
  for (std::size_t i = 0; i < clusters.size(); ++i) ++images[{clusters[i], labels[i]}];
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    const auto found = images.find({clusters[i], labels[i]});
    if (found != images.end() && found->second == 1) clusters[i] = none;
  }
  return clusters;
}

bool balanced(std::span<const std::int64_t> clusters, std::span<const std::int64_t> labels,
              std::int64_t count) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> images;
  for (std::size_t i = 0; i < clusters.size(); ++i) ++images[{clusters[i], labels[i]}];
  std::vector<std::int64_t> classes(static_cast<std::size_t>(count));
  for (const auto& [key, number] : images)
    if (key.first >= 0 && number >= 2) ++classes[static_cast<std::size_t>(key.first)];
  return std::all_of(classes.begin(), classes.end(), [](std::int64_t one) { return one >= 2; });
}

std::int64_t count_of(std::span<const std::int64_t> clusters) {
  std::int64_t most = none;
  for (const std::int64_t one : clusters) most = std::max(most, one);
  return most + 1;
}

}  // namespace dml::division
