#include "dml/losses/intra_pair_variance.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "dml/reducers/items.hpp"
#include "ops/arithmetic.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

/// Pairs on the wrong side of the mean of their kind: [(1 - pos_eps) mean+ - s]+^2 over positives,
/// [s - (1 + neg_eps) mean-]+^2 over negatives; mirrored for a distance.
class IntraPairVariance final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    double pos_eps = 0.01;
    double neg_eps = 0.01;
    static constexpr auto fields =
        with(field("pos_eps", &Options::pos_eps, "tolerance around the mean of positives", {0, 1}),
             field("neg_eps", &Options::neg_eps, "tolerance around the mean of negatives", {0, 1}));
  };

  IntraPairVariance(const Options& options, const Setup&) : TupleLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const Var d = matrix(batch);
    const Tensor pairs = relation(batch);
    const RowSums values = row_loss(PairValuesRow{}, d, pairs);
    const double sign = distance().sign();
    const auto side = [&](const std::string& name, bool positive) {
      const Items all = values.part(positive ? 0 : 1);
      const Var mean = fraction(all.totals, {}, all.counts);
      // Too far for a positive pair: larger distances or smaller similarities.
      const double direction = positive ? sign : -sign;
      const double eps = positive ? options_.pos_eps : options_.neg_eps;
      const RowSums sums =
          row_loss(PairVarianceRow{.direction = direction,
                                   .factor = 1 + direction * eps,
                                   .positive = positive,
                                   .bounds = reducer().bounds(name)},
                   d, pairs, {.parameter = repeat(reshape(mean, {1}), 0, d.dim(0))});
      return reduced(name, sums.part(0), batch);
    };
    return side("pos_loss", true) + side("neg_loss", false);
  }

 private:
  Options options_;
};

const bool intra_pair_variance_added =
    add_row_loss<PairValuesRow>() && add_row_loss<PairVarianceRow>();

const Register<Loss, IntraPairVariance> intra_pair_variance_loss{{
    .name = "intra_pair_variance",
    .summary = "pairs of one kind at about the same similarity; an addition to tuplet_margin",
    .paper = "Yu & Tao, Deep Metric Learning with Tuplet Margin Loss, ICCV 2019",
    .details = "the paper gives it the weight 0.5 beside tuplet_margin. Cost: n^2. Use it beside "
               "another loss (sum): it evens out the distances of pairs and teaches nothing alone.",
}};

}  // namespace
}  // namespace dml
