#include "dml/losses/sup_con.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "ops/arithmetic.hpp"

namespace dml {
namespace {

/// LSE over positives and negatives of s / t less the mean of s / t over positives.
class SupCon final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "avg_non_zero") {}
    double temperature = 0.1;
    static constexpr auto fields =
        with(field("temperature", &Options::temperature, "divides the similarities", {1e-6, 1e6}));
  };

  SupCon(const Options& options, const Setup&) : TupleLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const Tensor pairs = relation(batch);
    const RowSums sums = row_loss(SupConRow{.scale = -distance().sign() / options_.temperature,
                                            .bounds = reducer().bounds("loss")},
                                  matrix(batch), pairs);
    // Nothing to learn for the batch without a positive or a negative pair.
    Items items = sums.part(0);
    const Tensor both = has_both_sides(items.totals.device(), pairs, items.totals.dtype());
    return reduced("loss", std::move(items), batch) * batch.embedding.constant_like(both);
  }

 private:
  Options options_;
};

const bool sup_con_added = add_row_loss<SupConRow>();

const Register<Loss, SupCon> sup_con_loss{{
    .name = "sup_con",
    .summary = "every positive of an anchor against all others (supervised contrastive)",
    .paper = "Khosla et al., Supervised Contrastive Learning, NeurIPS 2020 (the \"out\" form)",
    .details = "LSE(s / t) over all others less the mean of s / t over positives, averaged over "
               "anchors above 0. The authors' code multiplies by t / 0.07 and averages over all. "
               "Cost: n^2. Use it with large batches and several views or images of a class, often "
               "as a first stage before a classifier.",
}};

}  // namespace
}  // namespace dml
