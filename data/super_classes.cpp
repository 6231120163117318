#include "data/super_classes.hpp"

#include <algorithm>
#include <map>

namespace dml {
namespace {

/// Whether some folder holds images of different classes.
bool folders_hold_classes(const std::vector<Item>& items) {
  std::map<std::filesystem::path, std::int64_t> first;
  return std::any_of(items.begin(), items.end(), [&](const Item& item) {
    return first.emplace(item.file.parent_path(), item.label).first->second != item.label;
  });
}

}  // namespace

std::vector<std::int64_t> super_classes(const std::vector<Item>& items) {
  const bool direct = folders_hold_classes(items);
  const auto folder_of = [direct](const Item& item) {
    const auto folder = item.file.parent_path();
    return direct ? folder : folder.parent_path();
  };
  std::map<std::filesystem::path, std::int64_t> number;
  for (const Item& item : items) number.emplace(folder_of(item), 0);
  if (number.size() < 2) return {};
  std::int64_t next = 0;
  for (auto& [folder, group] : number) group = next++;
  std::vector<std::int64_t> groups;
  groups.reserve(items.size());
  for (const Item& item : items) groups.push_back(number.at(folder_of(item)));
  return groups;
}

}  // namespace dml
