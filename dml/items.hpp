#pragma once
#include <limits>

#include "dml/labels.hpp"
#include "engine/check.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Which items of a sub-loss are counted: those with low < value < high.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  /// Those of these values that are more than `least`.
  DML_HOST_DEVICE Bounds above(double least) const { return {low > least ? low : least, high}; }
};

/// The items of one sub-loss that lie within the bounds of its reducer, summed up for each anchor.
struct Items {
  Var totals;                      ///< [n] weighted sum of the values
  Tensor counts;                   ///< [n] f64, weighted number of the values
  const Labels* labels = nullptr;  ///< of the n anchors; class_weighted needs them
  Tensor divisor{};                ///< f64, its sum is what `divisor` divides by
};

/// Items given one by one: value i belongs to anchor i, or to anchors[i].
struct ItemList {
  Var values;                      ///< [m]
  Tensor weights{};                ///< [m] how often each counts (padding: 0); undefined: once
  Tensor anchors{};                ///< [m] i64; undefined: m = n and value i is of anchor i
  const Labels* labels = nullptr;  ///< of the n anchors; needed with `anchors` or class_weighted
  Tensor divisor{};                ///< as in Items
};

/// Sums a list up for each anchor, within the bounds. n is labels->size(), or m without `anchors`.
Items sum_items(const ItemList& list, Bounds bounds);
}  // namespace dml
