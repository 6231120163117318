#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "data/dataset.hpp"
#include "data/transform.hpp"

namespace dml {

/// What a picture looks like from far away; it changes little with size, quality and brightness.
struct Glance {
  /// 8 x 8 bits each: clearly brighter than the right neighbour, than the lower one.
  std::array<std::uint64_t, 2> slopes{};
  std::array<std::uint8_t, 64> grey{};  ///< 8 x 8 shades
  bool readable = false;
};

/// Looks at a picture from far away.
Glance glance_at(const Image& image);

/// How many of the slopes of two pictures differ, 0 to 128; 128 where their shades, brought to the
/// same light, differ by more than 12 of 255 on average, or one cannot be read.
int slopes_apart(const Glance& a, const Glance& b);

/// Two items that look alike, the earlier one first.
struct AlikePair {
  std::int64_t first, second;
  int apart;  ///< slopes that differ
};

/// All pairs of items that differ in at most `most` slopes. Boxes are not looked at: whole pictures
/// are compared. Time grows with the square of the number of items (100,000 take some seconds).
/// @param threads  of the processor; the result does not depend on it.
/// @param keep_going  asked now and then; false ends it with Interrupted. May be empty.
std::vector<AlikePair> near_duplicates(const std::vector<Item>& items, int most, int threads,
                                       const std::function<bool()>& keep_going = {});

}  // namespace dml
