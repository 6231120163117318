#include "dml/losses/multiple_negatives_ranking.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// Cross-entropy of every positive against all negatives of its anchor, averaged for each anchor.
class MultipleNegativesRanking final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    double scale = 20;
    static constexpr auto fields =
        with(field("scale", &Options::scale, "factor of the similarities", {1e-6, 1e6}));
  };

  MultipleNegativesRanking(const Options& options, const Setup&)
      : TupleLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const RankingRow row{.scale = -distance().sign() * options_.scale,
                         .bounds = reducer().bounds("loss")};
    return reduced("loss", row_loss(row, matrix(batch), relation(batch)).part(0), batch);
  }

 private:
  Options options_;
};

const bool multiple_negatives_ranking_added = add_row_loss<RankingRow>();

const Register<Loss, MultipleNegativesRanking> multiple_negatives_ranking_loss{{
    .name = "multiple_negatives_ranking",
    .summary = "every positive against all negatives of its anchor, averaged for each anchor",
    .paper = "Henderson et al., Efficient Natural Language Response Suggestion for Smart Reply, "
             "2017",
    .details =
        "nt_xent with temperature 1 / scale, but every anchor counts the same. Cost: n^2. Use it "
        "with two images of a class in a batch and large batches, as retrieval of sentences does.",
    .aliases = {"mnr"},
}};

}  // namespace
}  // namespace dml
