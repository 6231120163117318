#pragma once
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "dml/labels.hpp"
#include "engine/registry.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Which items of a sub-loss are counted: those with low < value < high.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// The items of one sub-loss that lie within the bounds of its reducer, summed up for each anchor.
struct Items {
  Var totals;                      ///< [n] weighted sum of the values
  Tensor counts;                   ///< [n] f64, weighted number of the values
  const Labels* labels = nullptr;  ///< of the n anchors; class_weighted needs them
  Tensor divisor{};                ///< f64, its sum is what `divisor` divides by
};

/// Turns the items of a sub-loss into one number. Configured inside a loss:
/// `loss.reducer=threshold`, `loss.reducer.low=0.1`.
class Reducer {
 public:
  static constexpr const char* kind = "reducer";
  struct Setup {};

  virtual ~Reducer() = default;
  Reducer() = default;
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  /// Which items of the sub-loss of that name it wants summed.
  virtual Bounds bounds(const std::string& /*sub_loss*/) const { return {}; }
  /// The reduced sub-loss, shape []: 0 with a gradient of 0 when nothing is to be reduced.
  virtual Var operator()(const Items& items, const std::string& sub_loss) const = 0;
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
/// Reduces a list.
Var reduce(const Reducer& reducer, const ItemList& list, const std::string& sub_loss = "loss");

}  // namespace dml
