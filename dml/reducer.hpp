#pragma once
#include <string>

#include "dml/items.hpp"
#include "engine/registry.hpp"

namespace dml {

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

/// Reduces a list.
Var reduce(const Reducer& reducer, const ItemList& list, const std::string& sub_loss = "loss");

}  // namespace dml
