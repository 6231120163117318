#include "dml/losses/pnp.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"
#include "dml/reducers/items.hpp"

namespace dml {
namespace {

PnpRow::Variant variant_of(const std::string& name) {
  if (name == "Ds") return PnpRow::Variant::ds;
  if (name == "Dq") return PnpRow::Variant::dq;
  if (name == "Iu") return PnpRow::Variant::iu;
  if (name == "Ib") return PnpRow::Variant::ib;
  return PnpRow::Variant::o;
}

/// Mean over queries and their positives of a function of the number of negatives ranked before.
class Pnp final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "mean") {}
    std::string variant = "O";
    double b = 2;
    double alpha = 1;
    double anneal = 0.01;
    static constexpr auto fields =
        with(field("variant", &Options::variant,
                   "O: R; Ds: log(1 + R); Dq: 1 - (1 + R)^-alpha; Iu: (1 + R) log(1 + R); Ib: (b R "
                   "- log(1 + b R)) / b^2",
                   "O|Ds|Dq|Iu|Ib"),
             field("b", &Options::b, "of Ib", {1e-6, 1e6}),
             field("alpha", &Options::alpha, "of Dq; the paper takes 8", {1e-6, 1e6}),
             field("anneal", &Options::anneal,
                   "width of the logistic step that stands for a comparison", {1e-6, 1e6}));
  };

  Pnp(const Options& options, const Setup&)
      : TupleLoss(options, "cosine"),
        row_{.variant = variant_of(options.variant),
             .b = options.b,
             .alpha = options.alpha,
             .anneal = options.anneal} {}
  Requirements requirements() const override { return {.images_per_class = 2}; }

 protected:
  Var compute(const Batch& batch) override {
    refuse_tuples(batch, "pnp");
    refuse_reference(batch, "pnp");
    const Items items = row_loss(row_, matrix(batch),
                                 relation_of(batch.embedding.device(), batch.labels, &batch.labels))
                            .part(0);
    return fraction(items.totals, {}, items.counts);
  }

 private:
  PnpRow row_;
};

const bool pnp_added = add_row_loss<PnpRow>();

const Register<Loss, Pnp> pnp_loss{{
    .name = "pnp",
    .summary = "penalises the negatives that are ranked before a positive",
    .paper = "Li et al., Rethinking the Optimization of Average Precision: Only Penalizing "
             "Negative Instances before Positive Ones is Enough, AAAI 2022",
    .details =
        "the paper recommends variant Dq with alpha 8. Its mean is its own: the reducer is "
        "not used. Cost: n for every positive pair, n^2 memory. Use it when average precision is "
        "what is measured: the variants say how much a negative before a positive counts.",
}};

}  // namespace
}  // namespace dml
