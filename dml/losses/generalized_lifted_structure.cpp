#include "dml/losses/common.hpp"
#include "dml/losses/lifted_structure.hpp"

namespace dml {
namespace {

/// [LSE over positives of m(d, pos_margin) + LSE over negatives of m(neg_margin, d)]+.
class GeneralizedLifted final : public TupleLoss {
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

  GeneralizedLifted(const Options& options, const Setup&) : TupleLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const RowSums sums = row_loss(GeneralizedLiftedRow{.sign = distance().sign(),
                                                       .neg_margin = options_.neg_margin,
                                                       .pos_margin = options_.pos_margin,
                                                       .bounds = reducer().bounds("loss")},
                                  matrix(batch), relation(batch));
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const Register<Loss, GeneralizedLifted> generalized_lifted_structure_loss{{
    .name = "generalized_lifted_structure",
    .summary = "lifted structure with all positives of an anchor at once",
    .paper = "Hermans et al., In Defense of the Triplet Loss for Person Re-Identification, 2017",
    .details =
        "mean over anchors of [LSE(d_p - pos_margin) + LSE(neg_margin - d_n)]+. Cost: n^2. Use it "
        "with several images of a class in a batch when triplets give too weak a signal.",
}};

}  // namespace
}  // namespace dml
