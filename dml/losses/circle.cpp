#include "dml/losses/circle.hpp"

#include "dml/losses/common.hpp"
#include "dml/pairs/row_kernels.hpp"

namespace dml {
namespace {

/// softplus(LSE of -gamma [1 + m - s]+ (s - 1 + m) + LSE of gamma [s + m]+ (s - m)).
class Circle final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"cosine"}, "avg_non_zero") {}
    double m = 0.4;
    double gamma = 80;
    static constexpr auto fields = with(
        field("m", &Options::m, "relaxation: optima 1 + m and -m, margins 1 - m and m", {-1, 2}),
        field("gamma", &Options::gamma, "scale", {1e-6, 1e6}));
  };

  Circle(const Options& options, const Setup&) : TupleLoss(options, "cosine"), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const RowSums sums = row_loss(
        CircleRow{.m = options_.m, .gamma = options_.gamma, .bounds = reducer().bounds("loss")},
        matrix(batch), relation(batch));
    return reduced("loss", sums.part(0), batch);
  }

 private:
  Options options_;
};

const bool circle_added = add_row_loss<CircleRow>();

const Register<Loss, Circle> circle_loss{{
    .name = "circle",
    .summary = "pairs weighted by how far they are from their optimum",
    .paper = "Sun et al., Circle Loss: A Unified Perspective of Pair Similarity Optimization, CVPR "
             "2020",
    .details = "softplus(LSE over positives + LSE over negatives), for anchors that have both. The "
               "paper uses m = 0.4 with gamma = 80 for retrieval, 0.25 with 256 for faces. Cost: "
               "n^2. Use it with four or more images of a class in a batch when contrastive or "
               "triplet losses stall: pairs near their optimum stop pulling.",
}};

}  // namespace
}  // namespace dml
