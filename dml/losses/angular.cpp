#include "dml/losses/angular.hpp"

#include <cmath>

#include "dml/losses/common.hpp"
#include "ops/matmul.hpp"
#include "ops/self_product.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// The angle at the negative of the triangle of every positive pair and each negative is bounded.
class Angular final : public TupleLoss {
 public:
  struct Options : TupleOptions {
    Options() : TupleOptions({"lp"}, "mean") {}
    double alpha = 40;
    bool normalize_negatives = true;
    static constexpr auto fields =
        with(field("alpha", &Options::alpha, "degrees; the paper uses 36 to 55", {0, 89}),
             field("normalize_negatives", &Options::normalize_negatives,
                   "the negatives have unit length as well; pytorch-metric-learning: false"));
  };

  Angular(const Options& options, const Setup&) : TupleLoss(options, "lp"), options_(options) {
    const DistanceOptions& of = distance().options();
    if (of.p != 2 || of.power != 1 || !of.normalize)
      throw UsageError("is defined for normalised embeddings and p = 2, power = 1 alone");
  }

 protected:
  Var compute(const Batch& batch) override {
    const Var x = unit_rows(batch.embedding);
    const bool reference = batch.reference.defined();
    const Var raw = reference ? batch.reference : batch.embedding;
    const Var r = reference ? unit_rows(batch.reference) : x;
    const Transpose rows{.a = false, .b = true};
    const Var positive = reference ? matmul(x, r, rows) : self_product(x);
    const bool unit = options_.normalize_negatives;
    const Var negative = unit ? positive : matmul(x, raw, rows);
    Var between = negative;
    if (reference) between = unit ? self_product(r) : matmul(r, raw, rows);
    const Tensor pairs = relation(batch);
    const Tensor labels =
        batch.tuples == nullptr
            ? pairs
            : relation_of(x.device(), batch.labels, reference ? batch.reference_labels : nullptr);
    const double tangent = std::tan(options_.alpha * 3.14159265358979323846 / 180);
    return reduced(
        "loss",
        coupled_rows(AngularRows{.tangent = tangent * tangent, .bounds = reducer().bounds("loss")},
                     positive, negative, between, {.pairs = pairs, .negatives = labels}),
        batch);
  }

 private:
  Options options_;
};

const bool angular_added = add_coupled_rows<AngularRows>();

const Register<Loss, Angular> angular_loss{{
    .name = "angular",
    .summary = "the angle at the negative of every triangle with a positive pair is bounded",
    .paper = "Wang et al., Deep Metric Learning with Angular Loss, ICCV 2017",
    .details =
        "log(1 + sum e^(4t (a + p) n - 2 (1 + t) a p)) over positive pairs, t = tan^2 of "
        "alpha. Tuples choose the pairs, negatives come from the labels. Cost: n^2 d, and n "
        "for each positive pair. Use it with few images of a class and classes of very different "
        "spread: an angle does not change with scale. The paper adds it to n_pairs.",
}};

}  // namespace
}  // namespace dml
