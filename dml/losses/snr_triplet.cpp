#include "dml/losses/triplet_margin.hpp"
#include "dml/losses/triplets.hpp"
#include "ops/arithmetic.hpp"
#include "ops/relu.hpp"

namespace dml {
namespace {

/// [snr_ap - snr_an + margin]+ over triplets, snr the ratio of the variance of the difference to
/// that of the anchor, with the paper's penalty on the mean of the embeddings.
class SnrTriplet final : public TripletLoss {
 public:
  struct Options : TripletOptions {
    Options() : TripletOptions({"snr", {{"normalize", "false"}}}, "avg_non_zero") {
      embedding_regularizer = {"zero_mean"};
      embedding_reg_weight = 0.005;
    }
    double margin = 0.2;
    static constexpr auto fields =
        with(field("margin", &Options::margin,
                   "how much further than the positive the negative has to be", {-1e6, 1e6}));
  };

  SnrTriplet(const Options& options, const Setup&) : TripletLoss(options), options_(options) {
    if (distance().similarity()) throw UsageError("needs a distance, not a similarity\n  snr");
  }

 protected:
  Var compute(const Batch& batch) override {
    const Tuples tuples = triplets(batch);
    const Var d = matrix(batch);
    if (tuples.form == Tuples::Form::triplets) {
      const Listed at = listed(d, tuples);
      return reduced("loss",
                     ItemList{.values = relu(at.positive - at.negative + options_.margin),
                              .weights = at.weights,
                              .anchors = at.anchors},
                     batch);
    }
    const TripletRow row{.margin = options_.margin,
                         .bounds = reducer().bounds("loss"),
                         .range = tuples.filter.range};
    return reduced("loss", row_loss(row, d, tuples.relation, {.filter = tuples.filter}).part(0),
                   batch);
  }

 private:
  Options options_;
};

const Register<Loss, SnrTriplet> snr_triplet_loss{{
    .name = "snr_triplet",
    .summary = "triplets whose distance is the noise to signal ratio of two embeddings",
    .paper = "Yuan et al., Signal-to-Noise Ratio: A Robust Distance Metric for Deep Metric "
             "Learning, CVPR 2019",
    .details = "embeddings are not normalised, and 0.005 times the mean of |sum of components| is "
               "added, as in the paper. Cost: one addition for each triplet, n^2 memory. Use it "
               "where embeddings are noisy, as snr_contrastive, with triplets.",
}};

}  // namespace
}  // namespace dml
