#include "dml/losses/ranked_list.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// Positives beyond alpha - margin are pulled, negatives within alpha pushed, weighted by e^(T x).
class RankedList final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"lp"}, "mean") {}
    double margin = 0.4;
    double Tn = 10;
    double Tp = 0;
    double imbalance = 0.5;
    double alpha = -1;
    bool detach_weights = true;
    static constexpr auto fields =
        with(field("margin", &Options::margin, "width between the two boundaries", {0, 1e6}),
             field("Tn", &Options::Tn, "temperature of the weights of negatives", {0, 1e6}),
             field("Tp", &Options::Tp, "temperature of the weights of positives", {0, 1e6}),
             field("imbalance", &Options::imbalance, "share of the negatives in the loss", {0, 1}),
             field("alpha", &Options::alpha, "boundary of the negatives; below 0: 1 + margin / 2",
                   {-1, 1e6}),
             field("detach_weights", &Options::detach_weights,
                   "no gradient through the weights, as in the authors' code"));
  };

  RankedList(const Options& options, const Setup&) : TupleLoss(options), options_(options) {
    if (distance().similarity())
      throw UsageError("its boundaries are distances; '" + options.distance.name +
                       "' is a similarity");
  }

 protected:
  Var compute(const Batch& batch) override {
    refuse_tuples(batch, "ranked_list");
    refuse_reference(batch, "ranked_list");
    const double alpha = options_.alpha < 0 ? 1 + options_.margin / 2 : options_.alpha;
    const RowSums sums =
        row_loss(RankedListRow{.margin = options_.margin,
                               .alpha = alpha,
                               .tp = options_.Tp,
                               .tn = options_.Tn,
                               .imbalance = options_.imbalance,
                               .floor = static_cast<double>(batch.labels.size()) * 1e-5,
                               .detach_weights = options_.detach_weights,
                               .bounds = reducer().bounds("loss")},
                 matrix(batch), relation(batch));
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const bool ranked_list_added = add_row_loss<RankedListRow>();

const Register<Loss, RankedList> ranked_list_loss{{
    .name = "ranked_list",
    .summary = "positives within one radius of the anchor, negatives beyond a larger one",
    .paper = "Wang et al., Ranked List Loss for Deep Metric Learning, CVPR 2019",
    .details = "a negative at distance 0 is ignored. Cost: n^2. Use it with several images of a "
               "class in a batch to keep the spread within classes instead of collapsing them.",
}};

}  // namespace
}  // namespace dml
