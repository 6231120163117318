#include <fmt/core.h>

#include "dml/losses/common.hpp"
#include "ops/arithmetic.hpp"
#include "ops/matmul.hpp"
#include "ops/relu.hpp"
#include "ops/square_root.hpp"
#include "ops/sum.hpp"
#include "ops/variance.hpp"

namespace dml {
namespace {

/// Of two views x and r, row i of one beside row i of the other:
/// lambda mean (x - r)^2 + mu sum over views of mean_d [1 - sqrt(var_d + eps)]+ / 2
/// + nu sum over views of (1 / D) sum_(d != e) cov_de^2, variance and covariance unbiased.
class Vicreg final : public CommonLoss {
 public:
  struct Options : CommonOptions {
    Options() : CommonOptions("mean") {}
    double invariance_lambda = 25;
    double variance_mu = 25;
    double covariance_v = 1;
    double eps = 1e-4;
    static constexpr auto fields = CommonOptions::with(
        field("invariance_lambda", &Options::invariance_lambda,
              "weight of the squared difference of the views", {0, 1e6}),
        field("variance_mu", &Options::variance_mu, "weight of the variance below 1", {0, 1e6}),
        field("covariance_v", &Options::covariance_v,
              "weight of the squared covariance of different components", {0, 1e6}),
        field("eps", &Options::eps, "added to the variance under the root", {1e-12, 1}));
  };

  Vicreg(const Options& options, const Setup&) : CommonLoss(options), options_(options) {}

 protected:
  Var compute(const Batch& batch) override {
    const Var& x = batch.embedding;
    const Var& r = batch.reference;
    DML_CHECK(x.dim(0) >= 2, fmt::format("vicreg needs at least 2 rows for a variance; the batch "
                                         "has {}",
                                         x.dim(0)));
    if (batch.tuples != nullptr)
      throw UsageError("vicreg takes no pairs or triplets\n  use it without a miner");
    Var loss = spread("variance_loss1", x);
    Var redundancy = covariances(x);
    if (r.defined()) {
      DML_CHECK(r.dim(0) == x.dim(0),
                fmt::format("vicreg needs two views of equally many rows; found {} and {}",
                            to_string(x.shape()), to_string(r.shape())));
      const Var apart = options_.invariance_lambda * mean(square(x - r), -1);
      loss = loss + spread("variance_loss2", r) +
             reduced("invariance_loss", ItemList{.values = apart}, batch);
      redundancy = redundancy + covariances(r);
    }
    redundancy = options_.covariance_v * redundancy;
    note("covariance_loss", redundancy);
    return loss + redundancy;
  }

 private:
  /// How far the deviation of every component is below 1, reduced over the components.
  Var spread(const std::string& name, const Var& x) {
    const Var deviation = square_root(variance(x, 0) + options_.eps);
    const Var value =
        reduce(reducer(), {.values = 0.5 * options_.variance_mu * relu(1.0 - deviation)}, name);
    note(name, value);
    return value;
  }
  /// (1 / D) sum over d != e of the squared covariance.
  static Var covariances(const Var& x) {
    const Var rows = centred(x, 0);
    const std::int64_t d = x.dim(1);
    const Var products = matmul(rows, rows, {.a = true, .b = false});
    Tensor apart = Tensor::empty({d, d}, x.dtype());
    visit_float(x.dtype(), [&]<class T>() {
      for (std::int64_t i = 0; i < d * d; ++i) apart.raw<T>()[i] = i / d == i % d ? T(0) : T(1);
    });
    const auto free = static_cast<double>(x.dim(0) - 1);
    return sum(square(products / free) * x.constant_like(apart)) / static_cast<double>(d);
  }

  Options options_;
};

const Register<Loss, Vicreg> vicreg_loss{{
    .name = "vicreg",
    .summary = "two views of an image agree, components vary and are not correlated",
    .paper = "Bardes et al., VICReg: Variance-Invariance-Covariance Regularization for "
             "Self-Supervised Learning, ICLR 2022",
    .details = "the second view is the reference set; without one only variance and covariance "
               "count. As the authors' code: the paper's equations neither divide the invariance "
               "by the number of components nor halve the variance. Use it for two views of each "
               "image without labels or negatives, with small batches.",
}};

}  // namespace
}  // namespace dml
