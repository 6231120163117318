#pragma once
#include <optional>
#include <string>

#include "dml/losses/common.hpp"

namespace dml {

/// Options of losses on triplets.
struct TripletOptions : TupleOptions {
  using TupleOptions::TupleOptions;
  std::string triplets_per_anchor = "all";
  /// The fields of a loss: these and its own.
  template <class... Fields> static constexpr auto with(const Fields&... own) {
    return TupleOptions::with(
        field("triplets_per_anchor", &TripletOptions::triplets_per_anchor,
              "without a miner: all, or how many random ones for each anchor"),
        own...);
  }
};

/// A loss on triplets: all of the labels, random ones, or those that a miner gives.
class TripletLoss : public TupleLoss {
 protected:
  explicit TripletLoss(const TripletOptions& options);

  /// The triplets of the batch, as a product (pairs are joined on equal anchors) or as a list.
  Tuples triplets(const Batch& batch) const;

  /// The distances of listed triplets.
  struct Listed {
    Var positive, negative;  ///< [t] d_ap, d_an
    Tensor weights;          ///< [t] 1, or 0 for void entries
    Tensor anchors;          ///< [t]
  };
  static Listed listed(const Var& matrix, const Tuples& list);

 private:
  std::int64_t random_per_anchor_ = -1;  // -1: all
};

}  // namespace dml
