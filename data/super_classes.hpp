#pragma once
#include <cstdint>
#include <vector>

#include "data/dataset.hpp"

namespace dml {

/// The group of classes (super-class) of every image, numbered from 0 in order of path: the folder
/// of the image where a folder holds several classes (Stanford Online Products: bicycle_final),
/// else the folder above it (In-shop: WOMEN/Dresses). Empty when that makes a single group.
std::vector<std::int64_t> super_classes(const std::vector<Item>& items);

}  // namespace dml
