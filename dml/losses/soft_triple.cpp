#include <cmath>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"
#include "ops/reshape.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// Cross-entropy of la (S_c - margin [c = y]), S_c = sum_k softmax_k(s_ck / gamma) s_ck with the
/// similarities s_ck to the K centers of class c.
class SoftTriple final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    // The authors' code: centers at 1e-2 beside a net at 1e-4.
    Options() : ClassOptions({"cosine", {}}, "mean", 100) {}
    std::int64_t centers_per_class = 10;
    double la = 20;
    double gamma = 0.1;
    double margin = 0.01;
    static constexpr auto fields = ClassOptions::with(
        field("centers_per_class", &Options::centers_per_class, "K: centers of every class",
              {1, 10000}),
        field("la", &Options::la, "lambda: times the logits", {1e-6, 1e6}),
        field("gamma", &Options::gamma, "temperature of the softmax over the centers of a class",
              {1e-6, 1e6}),
        field("margin", &Options::margin, "delta: taken off the own similarity", {-2, 2}));
  };

  SoftTriple(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "fc",
                   .init = init::uniform(1 / std::sqrt(static_cast<double>(
                                                 setup.classes * options.centers_per_class))),
                   .per_class = options.centers_per_class}),
        options_(options) {
    if (!distance().similarity())
      throw UsageError("needs a similarity\n  cosine or dot, not a distance");
  }

  Var logits(const Var& x) override { return options_.la * relaxed(x); }

 protected:
  Var classify(const Batch& batch) override {
    const Var s = relaxed(batch.embedding);
    return reduced_cross_entropy(
        options_.la * own_shift(s, batch.labels.tensor(), -options_.margin), batch);
  }

 private:
  /// [n, classes]
  Var relaxed(const Var& x) const {
    const Var all = reshape(distance()(x, vectors(x)), {x.dim(0), classes(), per_class()});
    return sum(softmax(all, options_.gamma) * all, 2);
  }

  Options options_;
};

const Register<Loss, SoftTriple> soft_triple_loss{{
    .name = "soft_triple",
    .summary = "softmax over similarities to several centers of every class, softly combined",
    .paper = "Qian et al., SoftTriple Loss: Deep Metric Learning Without Triplet Sampling, ICCV "
             "2019",
    .details = "the paper's regulariser is weight_regularizer = sparse_centers, weight_reg_weight "
               "= 0.2. Centers learn at 100 times the net's rate (1e-2 and 1e-4, Adam, eps 0.01); "
               "center k of class c is row c * K + k. Use it where a class has several modes "
               "(poses, styles): several centers each, no pairs, any batch.",
}};

}  // namespace
}  // namespace dml
