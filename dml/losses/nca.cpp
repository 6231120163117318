#include "dml/losses/nca.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// -log of the probability that a soft nearest neighbour of the anchor is of its class.
class Nca final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"lp", {{"power", "2"}}}, "mean") {}
    double softmax_scale = 1;
    static constexpr auto fields = with(field("softmax_scale", &Options::softmax_scale,
                                              "times the squared distances", {1e-6, 1e6}));
  };

  Nca(const Options& options, const Setup&) : TupleLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const Var d = matrix(batch);
    const bool reference = batch.reference.defined();
    const Tensor weights = sample_weights(d.device(), batch.tuples, d.dim(0), d.dtype(), reference);
    const RowSums sums = row_loss(
        NcaRow{.scale = -distance().sign() * options_.softmax_scale,
               .bounds = reducer().bounds("loss")},
        d, relation_of(d.device(), batch.labels, reference ? batch.reference_labels : nullptr),
        {.parameter = d.constant_like(weights)});
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const bool nca_added = add_row_loss<NcaRow>();

const Register<Loss, Nca> nca_loss{{
    .name = "nca",
    .summary = "soft nearest neighbours of the own class (neighbourhood components analysis)",
    .paper = "Goldberger et al., Neighbourhood Components Analysis, NIPS 2004",
    .details = "anchors without a positive are left out. The original maximises the sum of "
               "probabilities; the log form is the one in use. Cost: n^2. Use it with small "
               "batches of several images a class, when neighbours' votes are what counts.",
}};

}  // namespace
}  // namespace dml
