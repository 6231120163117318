#include "dml/group_loss/anchors.hpp"

#include <unordered_map>

namespace dml {

std::vector<std::int64_t> choose_anchors(std::span<const std::int64_t> labels,
                                         std::int64_t per_class) {
  std::unordered_map<std::int64_t, std::int64_t> met;
  std::vector<std::int64_t> anchors;
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (met[labels[i]]++ < per_class) anchors.push_back(static_cast<std::int64_t>(i));
  return anchors;
}

}  // namespace dml
