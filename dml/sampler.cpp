#include "dml/sampler.hpp"

#include <map>

namespace dml {

std::vector<std::vector<std::int64_t>> images_by_class(const std::vector<std::int64_t>& labels) {
  std::map<std::int64_t, std::vector<std::int64_t>> by_class;
  for (std::size_t i = 0; i < labels.size(); ++i)
    by_class[labels[i]].push_back(static_cast<std::int64_t>(i));
  std::vector<std::vector<std::int64_t>> lists;
  for (auto& [label, images] : by_class) lists.push_back(std::move(images));
  return lists;
}

}  // namespace dml
