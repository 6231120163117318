#include "dml/losses/tuplet_margin.hpp"

#include <cmath>

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// log(1 + sum over negatives k of e^(scale (cos_ik - cos(theta_ij - margin)))) over positive
/// pairs.
class TupletMargin final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    double margin = 5.73;
    double scale = 64;
    static constexpr auto fields =
        with(field("margin", &Options::margin,
                   "degrees by which the angle of a positive pair is made smaller", {0, 180}),
             field("scale", &Options::scale, "of the cosines", {1e-6, 1e6}));
  };

  TupletMargin(const Options& options, const Setup&)
      : TupleLoss(options, "cosine"), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const double angle = options_.margin * 3.14159265358979323846 / 180;
    const RowSums sums = row_loss(TupletMarginRow{.positive = {std::cos(angle), std::sin(angle)},
                                                  .scale = options_.scale,
                                                  .bounds = reducer().bounds("loss")},
                                  matrix(batch), relation(batch));
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const bool tuplet_margin_added = add_row_loss<TupletMarginRow>();

const Register<Loss, TupletMargin> tuplet_margin_loss{{
    .name = "tuplet_margin",
    .summary = "every positive pair, made easier by an angle, against all negatives",
    .paper = "Yu & Tao, Deep Metric Learning with Tuplet Margin Loss, ICCV 2019",
    .details =
        "the paper adds 0.5 times intra_pair_variance. Cost: n^2. Use it with several negatives of "
        "different classes for each pair; beside intra_pair_variance, as in the paper.",
}};

}  // namespace
}  // namespace dml
