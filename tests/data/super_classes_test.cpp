#include "data/super_classes.hpp"

#include <doctest/doctest.h>

namespace dml {
namespace {

std::vector<std::int64_t> groups_of(
    const std::vector<std::pair<const char*, std::int64_t>>& images) {
  std::vector<Item> items;
  for (const auto& [file, label] : images) items.push_back({.file = file, .label = label});
  return super_classes(items);
}

TEST_CASE("super_classes: folders of several classes, or the folders above those of classes") {
  // Stanford Online Products: the folder is the super-class, the file name says the class.
  CHECK(groups_of({{"d/chair_final/1_0.JPG", 0},
                   {"d/chair_final/2_0.JPG", 1},
                   {"d/bicycle_final/3_0.JPG", 2},
                   {"d/bicycle_final/3_1.JPG", 2}}) == std::vector<std::int64_t>{1, 1, 0, 0});
  // In-shop: a folder for every class, in folders of departments.
  CHECK(groups_of({{"img/WOMEN/Dresses/id_1/a.jpg", 0},
                   {"img/WOMEN/Dresses/id_2/a.jpg", 1},
                   {"img/MEN/Dresses/id_3/a.jpg", 2}}) == std::vector<std::int64_t>{1, 1, 0});
  // One folder of classes, and one folder of images: no super-classes.
  CHECK(groups_of({{"images/001.a/1.jpg", 0}, {"images/002.b/1.jpg", 1}}).empty());
  CHECK(groups_of({{"car_ims/1.jpg", 0}, {"car_ims/2.jpg", 1}}).empty());
  CHECK(groups_of({}).empty());
}

}  // namespace
}  // namespace dml
