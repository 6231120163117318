#include "dml/divide/marp.hpp"

#include <algorithm>
#include <map>

namespace dml::division {

double mean_average_r_precision(std::span<const std::int64_t> queries,
                                std::span<const std::int64_t> gallery,
                                std::span<const std::int64_t> retrieved, std::int64_t width) {
  std::map<std::int64_t, std::int64_t> size;
  for (const std::int64_t label : gallery) ++size[label];
  const bool self = std::equal(queries.begin(), queries.end(), gallery.begin(), gallery.end());
  double total = 0;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const auto found = size.find(queries[q]);
    const std::int64_t relevant = (found == size.end() ? 0 : found->second) - (self ? 1 : 0);
    std::int64_t hits = 0;
    double precisions = 0;
    for (std::int64_t rank = 0; rank < std::min(relevant, width); ++rank) {
      if (retrieved[q * static_cast<std::size_t>(width) + static_cast<std::size_t>(rank)] !=
          queries[q])
        continue;
      ++hits;
      precisions += static_cast<double>(hits) / static_cast<double>(rank + 1);
    }
    if (hits > 0) total += precisions / static_cast<double>(hits);
  }
  return total / static_cast<double>(queries.size());
}

}  // namespace dml::division
