#include "dml/sampler.hpp"

#include <map>

namespace dml {

double share_shown(const std::vector<std::vector<std::int64_t>>& plan, std::int64_t n) {
  std::vector<bool> shown(static_cast<std::size_t>(n), false);
  std::int64_t count = 0;
  for (const auto& batch : plan)
    for (const std::int64_t i : batch) {
      if (shown[static_cast<std::size_t>(i)]) continue;
      shown[static_cast<std::size_t>(i)] = true;
      ++count;
    }
  return n == 0 ? 1 : static_cast<double>(count) / static_cast<double>(n);
}

std::vector<std::vector<std::int64_t>> images_by_class(const std::vector<std::int64_t>& labels) {
  std::map<std::int64_t, std::vector<std::int64_t>> by_class;
  for (std::size_t i = 0; i < labels.size(); ++i)
    by_class[labels[i]].push_back(static_cast<std::int64_t>(i));
  std::vector<std::vector<std::int64_t>> lists;
  for (auto& [label, images] : by_class) lists.push_back(std::move(images));
  return lists;
}

}  // namespace dml
