#include "dml/losses/threshold_consistent_margin.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "dml/reducers/items.hpp"
#include "ops/arithmetic.hpp"

namespace dml {
namespace {

/// lambda_plus times the mean of margin_plus - s over positive pairs at or below it, plus
/// lambda_minus times the mean of s - margin_minus over negative pairs at or above that.
class ThresholdConsistentMargin final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    double lambda_plus = 1;
    double lambda_minus = 1;
    double margin_plus = 0.9;
    double margin_minus = 0.5;
    static constexpr auto fields = with(
        field("lambda_plus", &Options::lambda_plus, "weight of the positive pairs", {0, 1e6}),
        field("lambda_minus", &Options::lambda_minus, "weight of the negative pairs", {0, 1e6}),
        field("margin_plus", &Options::margin_plus,
              "positive pairs of at most this cosine are pulled", {-2, 2}),
        field("margin_minus", &Options::margin_minus,
              "negative pairs of at least this cosine are pushed", {-2, 2}));
  };

  ThresholdConsistentMargin(const Options& options, const Setup&)
      : TupleLoss(options, "cosine"), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const RowSums sums = row_loss(ThresholdConsistentRow{.margin_plus = options_.margin_plus,
                                                         .margin_minus = options_.margin_minus},
                                  matrix(batch), relation(batch));
    const Items positives = sums.part(0), negatives = sums.part(1);
    const Var pull = options_.lambda_plus * fraction(positives.totals, {}, positives.counts);
    const Var push = options_.lambda_minus * fraction(negatives.totals, {}, negatives.counts);
    note("pos_loss", pull);
    note("neg_loss", push);
    return pull + push;
  }

 private:
  Options options_;
};

const bool threshold_consistent_margin_added = add_row_loss<ThresholdConsistentRow>();

const Register<Loss, ThresholdConsistentMargin> threshold_consistent_margin_loss{{
    .name = "threshold_consistent_margin",
    .summary = "the same cosine thresholds for all classes; a regulariser for another loss",
    .paper = "Zhang et al., Threshold-Consistent Margin Loss for Open-World Deep Metric Learning, "
             "ICLR 2024",
    .details = "its means are its own: the reducer is not used. Cost: n^2. Use it beside another "
               "loss (sum) where one threshold has to serve all classes, as in verification.",
}};

}  // namespace
}  // namespace dml
