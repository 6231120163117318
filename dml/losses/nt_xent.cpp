#include "dml/losses/nt_xent.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// -log(e^(s_ij / t) / (e^(s_ij / t) + sum over negatives k of e^(s_ik / t))) over positive pairs.
class NtXent final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    double temperature = 0.07;
    static constexpr auto fields =
        with(field("temperature", &Options::temperature, "divides the similarities", {1e-6, 1e6}));
  };

  NtXent(const Options& options, const Setup&) : TupleLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const RowSums sums = row_loss(NtXentRow{.scale = -distance().sign() / options_.temperature,
                                            .bounds = reducer().bounds("loss")},
                                  matrix(batch), relation(batch));
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const bool nt_xent_added = add_row_loss<NtXentRow>();

const Register<Loss, NtXent> nt_xent_loss{{
    .name = "nt_xent",
    .summary = "every positive pair against all negatives of its anchor (InfoNCE)",
    .paper = "Oord et al., Representation Learning with Contrastive Predictive Coding, 2018; "
             "Chen et al., SimCLR, ICML 2020",
    .details = "the other positives of the anchor are not in the denominator; with one positive "
               "it is SimCLR's loss. A distance is negated. Cost: n^2. Use it for two views of "
               "each image without labels (self_supervised), or with labels and large batches.",
    .aliases = {"info_nce", "infonce"},
}};

}  // namespace
}  // namespace dml
