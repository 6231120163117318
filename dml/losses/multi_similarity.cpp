#include "dml/losses/multi_similarity.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// (1/alpha) log(1 + sum e^(alpha m(s, base))) + (1/beta) log(1 + sum e^(beta m(base, s))).
class MultiSimilarity final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    double alpha = 2;
    double beta = 50;
    double base = 0.5;
    static constexpr auto fields =
        with(field("alpha", &Options::alpha, "scale of the positive exponents", {1e-6, 1e6}),
             field("beta", &Options::beta, "scale of the negative exponents", {1e-6, 1e6}),
             field("base", &Options::base,
                   "the similarity (lambda) that exponents are measured from", {-1e6, 1e6}));
  };

  MultiSimilarity(const Options& options, const Setup&) : TupleLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const RowSums sums = row_loss(MultiSimilarityRow{.sign = distance().sign(),
                                                     .alpha = options_.alpha,
                                                     .beta = options_.beta,
                                                     .base = options_.base,
                                                     .bounds = reducer().bounds("loss")},
                                  matrix(batch), relation(batch));
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const bool multi_similarity_added = add_row_loss<MultiSimilarityRow>();

const Register<Loss, MultiSimilarity> multi_similarity_loss{{
    .name = "multi_similarity",
    .summary = "soft sums of all positives and of all negatives of every anchor",
    .paper = "Wang et al., Multi-Similarity Loss with General Pair Weighting, CVPR 2019",
    .details =
        "mean over anchors of log(1 + sum e^(-alpha (s - base))) / alpha over positives plus "
        "log(1 + sum e^(beta (s - base))) / beta over negatives. The paper's method adds the "
        "miner of the same name; its code has beta 40. Cost: n^2. Use it as a strong default of "
        "pair losses with four or more images of a class, together with the miner of the same "
        "name.",
    .aliases = {"ms"},
}};

}  // namespace
}  // namespace dml
