#include "dml/losses/lifted_structure.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "ops/arithmetic.hpp"

namespace dml {
namespace {

/// Positive pairs: [LSE of m(neg_margin, d) over the negatives of both + m(d_ij, pos_margin)]+^2
/// / 2.
class LiftedStructure final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"lp"}, "mean") {}
    double neg_margin = 1;
    double pos_margin = 0;
    static constexpr auto fields =
        with(field("neg_margin", &Options::neg_margin, "distance that negatives are measured from",
                   {-1e6, 1e6}),
             field("pos_margin", &Options::pos_margin, "distance that positives are measured from",
                   {-1e6, 1e6}));
  };

  LiftedStructure(const Options& options, const Setup&) : TupleLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const Var d = matrix(batch);
    const Tensor pairs = relation(batch);
    const double sign = distance().sign();
    const RowSums negatives = row_loss(
        NegativeLogSum{.sign = sign, .neg_margin = options_.neg_margin}, d.detached(), pairs);
    const RowSums sums = row_loss(LiftedRow{.sign = sign,
                                            .neg_margin = options_.neg_margin,
                                            .pos_margin = options_.pos_margin,
                                            .both_anchors = !batch.reference.defined(),
                                            .bounds = reducer().bounds("loss")},
                                  d, pairs, {.others = negatives.sums.value()});
    const Tensor both = has_both_sides(d.device(), pairs, d.dtype());
    return reduced("loss", sums.part(0), batch) * d.constant_like(both);
  }

 private:
  Options options_;
};

const bool lifted_structure_added = add_row_loss<NegativeLogSum>() && add_row_loss<LiftedRow>();
const bool also_added = add_row_loss<GeneralizedLiftedRow>();

const Register<Loss, LiftedStructure> lifted_structure_loss{{
    .name = "lifted_structure",
    .summary = "every positive pair against the negatives of both its members",
    .paper = "Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016",
    .details = "with a reference set the negatives of the anchor alone. The paper does not "
               "normalise. Cost: n^2. Use it for comparison with the literature; "
               "generalized_lifted_structure uses more of the batch.",
    .aliases = {"lifted"},
}};

}  // namespace
}  // namespace dml
