#include "dml/losses/xbm_contrastive.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// Sum of 1 - s over positives and of s over negatives above a margin, averaged over anchors.
class XbmContrastive final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    double margin = 0.5;
    static constexpr auto fields =
        with(field("margin", &Options::margin, "negatives of a higher cosine are pushed", {-2, 2}));
  };

  XbmContrastive(const Options& options, const Setup&)
      : TupleLoss(options, "cosine"), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const XbmContrastiveRow row{.margin = options_.margin, .bounds = reducer().bounds("loss")};
    return reduced("loss", row_loss(row, matrix(batch), relation(batch)).part(0), batch);
  }

 private:
  Options options_;
};

const bool xbm_contrastive_added = add_row_loss<XbmContrastiveRow>();

const Register<Loss, XbmContrastive> xbm_contrastive_loss{{
    .name = "xbm_contrastive",
    .summary = "the contrastive loss of the authors of the cross-batch memory",
    .paper = "Wang et al., Cross-Batch Memory for Embedding Learning, CVPR 2020",
    .details = "sums over pairs, a mean over anchors; positives with a cosine of 1 - 1e-5 or more "
               "count as copies. Their method is cross_batch_memory with inner = xbm_contrastive, "
               "with_batch_loss and start_iteration = 1000. Cost: n^2. Use it to repeat the paper; "
               "cross_batch_memory wraps any other pair loss.",
}};

}  // namespace
}  // namespace dml
