#include "dml/losses/contrastive.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "ops/arithmetic.hpp"

namespace dml {
namespace {

/// pos: [m(d_ij, pos_margin)]+ over positive pairs; neg: [m(neg_margin, d_ik)]+ over negative
/// pairs; each reduced, then added.
class Contrastive : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : Options({"lp"}) {}
    explicit Options(Nested of) : TupleOptions(std::move(of), "avg_non_zero") {}
    double pos_margin = 0;
    double neg_margin = 1;
    static constexpr auto fields =
        with(field("pos_margin", &Options::pos_margin,
                   "positive pairs further than this are pulled (1 for a similarity)", {-1e6, 1e6}),
             field("neg_margin", &Options::neg_margin,
                   "negative pairs nearer than this are pushed (0 for a similarity)", {-1e6, 1e6}));
  };

  Contrastive(const Options& options, const Setup&) : TupleLoss(options), options_(options) {}

 protected:
  Contrastive(const Options& options, const std::string& only_distance)
      : TupleLoss(options, only_distance), options_(options) {}

  Var compute(const Batch& batch) override {
    const RowSums sums = row_loss(ContrastiveRow{.sign = distance().sign(),
                                                 .positive_margin = options_.pos_margin,
                                                 .negative_margin = options_.neg_margin,
                                                 .positives = reducer().bounds("pos_loss"),
                                                 .negatives = reducer().bounds("neg_loss")},
                                  matrix(batch), relation(batch));
    return reduced("pos_loss", sums.part(0), batch) + reduced("neg_loss", sums.part(1), batch);
  }

 private:
  Options options_;
};

/// Contrastive on the ratio of the variances of difference and anchor.
class SnrContrastive final : public Contrastive {
 public:
  struct Options : Contrastive::Options {
    Options() : Contrastive::Options(Nested{"snr"}) {}
  };
  SnrContrastive(const Options& options, const Setup&) : Contrastive(options, "snr") {}
};

const bool contrastive_added = add_row_loss<ContrastiveRow>();

const Register<Loss, Contrastive> contrastive{{
    .name = "contrastive",
    .summary = "positive pairs nearer than one margin, negative pairs further than another",
    .paper = "Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping, "
             "CVPR 2006",
    .details = "mean over active positive pairs of [d - pos_margin]+ plus mean over active "
               "negative pairs of [neg_margin - d]+. The paper squares and halves the terms and "
               "does not normalise. Natural margins of a similarity: 1 and 0. Cost: n^2. Use it as "
               "the plain baseline, with a memory of past batches (cross_batch_memory) or with "
               "pairs given from outside.",
}};
const Register<Loss, SnrContrastive> snr_contrastive{{
    .name = "snr_contrastive",
    .summary = "contrastive loss on the signal-to-noise distance",
    .paper = "Yuan et al., Signal-to-Noise Ratio: A Robust Distance Metric for Deep Metric "
             "Learning, CVPR 2019",
    .details = "the paper adds embedding_regularizer = zero_mean and does not normalise. "
               "Cost: n^2. Use it where embeddings are noisy: a difference is measured against the "
               "anchor's own variance.",
}};

}  // namespace
}  // namespace dml
