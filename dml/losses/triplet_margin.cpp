#include "dml/losses/triplet_margin.hpp"

#include "dml/losses/swapped_triplets.hpp"
#include "dml/losses/triplets.hpp"
#include "dml/pairs/pick.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "ops/arithmetic.hpp"
#include "ops/maximum.hpp"
#include "ops/relu.hpp"
#include "ops/softplus.hpp"

namespace dml {
namespace {

/// [m(d_ap, d_an) + margin]+ over triplets, or softplus of it.
class TripletMargin final : public TripletLoss {
 public:
  struct Options : TripletOptions {
    Options() : TripletOptions({"lp"}, "avg_non_zero") {}
    double margin = 0.05;
    bool swap = false;
    bool smooth_loss = false;
    static constexpr auto fields =
        with(field("margin", &Options::margin,
                   "how much further than the positive the negative has to be", {-1e6, 1e6}),
             field("swap", &Options::swap, "d_an is replaced by the nearer of d_an and d_pn"),
             field("smooth_loss", &Options::smooth_loss, "softplus in place of the hinge"));
  };

  TripletMargin(const Options& options, const Setup&) : TripletLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const Tuples tuples = triplets(batch);
    const Var d = matrix(batch);
    if (tuples.form == Tuples::Form::triplets) return of_list(d, tuples, batch);
    const TripletRow row{.sign = distance().sign(),
                         .margin = options_.margin,
                         .smooth = options_.smooth_loss,
                         .bounds = reducer().bounds("loss"),
                         .range = tuples.filter.range};
    if (options_.swap)
      return reduced("loss",
                     coupled_rows(SwappedTriplets{row}, d, d, between(d, batch),
                                  {.pairs = tuples.relation, .filter = tuples.filter}),
                     batch);
    const RowSums sums = row_loss(row, d, tuples.relation, {.filter = tuples.filter});
    return reduced("loss", sums.part(0), batch);
  }

 private:
  /// The distances within the reference set.   [q, q]
  Var between(const Var& d, const Batch& batch) const {
    return batch.reference.defined() ? distance()(batch.reference) : d;
  }

  Var of_list(const Var& d, const Tuples& list, const Batch& batch) {
    const Listed at = listed(d, list);
    const double sign = distance().sign();
    Var apart = sign * (at.positive - at.negative);
    if (options_.swap) {
      const Var other = pick(between(d, batch), list, &Tuples::positive, &Tuples::negative);
      apart = maximum(apart, sign * (at.positive - other));
    }
    apart = apart + options_.margin;
    return reduced("loss",
                   ItemList{.values = options_.smooth_loss ? softplus(apart) : relu(apart),
                            .weights = at.weights,
                            .anchors = at.anchors},
                   batch);
  }

  Options options_;
};

const bool triplet_margin_added = add_row_loss<TripletRow>() && add_coupled_rows<SwappedTriplets>();

const Register<Loss, TripletMargin> triplet_margin_loss{{
    .name = "triplet_margin",
    .summary = "the negative of a triplet further than its positive, by a margin",
    .paper = "Weinberger & Saul, Distance Metric Learning for Large Margin Nearest Neighbor "
             "Classification, JMLR 2009; Schroff et al., FaceNet, CVPR 2015",
    .details = "mean over active triplets of [d_ap - d_an + margin]+. FaceNet uses squared "
               "distances: distance.power = 2. Cost: one addition for each triplet, n^2 memory. "
               "Use it with a miner (triplet_margin of type semihard, or distance_weighted) as the "
               "classic choice; all "
               "triplets cost hardly more here.",
    .aliases = {"triplet"},
}};

}  // namespace
}  // namespace dml
