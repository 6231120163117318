#include <fmt/core.h>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"
#include "ops/gather.hpp"
#include "ops/reshape.hpp"
#include "ops/softmax.hpp"

namespace dml {
namespace {

struct ProxyNcaOptions : ClassOptions {
  // Revisiting-DML: proxies at 50 times the net's rate.
  ProxyNcaOptions() : ClassOptions({"lp", {{"power", "2"}}}, "mean", 50) {}
  double softmax_scale = 1;
  bool exclude_positive = false;
  double init_scale = 1;
  static constexpr auto fields = ClassOptions::with(
      field("softmax_scale", &ProxyNcaOptions::softmax_scale,
            "times the squared distances; 9 is a temperature of 1/9, and also embeddings and "
            "proxies of length 3",
            {1e-6, 1e6}),
      field("exclude_positive", &ProxyNcaOptions::exclude_positive,
            "the own proxy is left out of the sum over proxies, as in the paper; the loss can be "
            "negative then"),
      field("init_scale", &ProxyNcaOptions::init_scale,
            "deviation of the normal numbers that proxies begin with", {1e-9, 1e6}));
};

/// -log softmax_c(-scale d^2(x, p_c))[y]; with exclude_positive scale d^2(x, p_y) + log sum over
/// c != y of exp(-scale d^2(x, p_c)). d^2 is squared, of normalised vectors.
class ProxyNca : public ClassLoss {
 public:
  using Options = ProxyNcaOptions;

  ProxyNca(const Options& options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "proxies", .init = init::normal(options.init_scale)}),
        scale_(options.softmax_scale),
        exclude_positive_(options.exclude_positive) {
    if (exclude_positive_ && setup.classes < 2)
      throw UsageError(fmt::format(
          "without the own proxy nothing is left of {} class\n  exclude_positive needs 2 or more",
          setup.classes));
  }

  Var logits(const Var& x) override {
    return distance()(x, vectors(x)) * (-distance().sign() * scale_);
  }

 protected:
  Var classify(const Batch& batch) override {
    const Var z = logits(batch.embedding);
    if (!exclude_positive_) return reduced_cross_entropy(z, batch, true);
    const Tensor labels = batch.labels.tensor();
    const Var own = reshape(gather(z, 1, labels.reshape({labels.size(), 1})), {labels.size()});
    return reduced_samples(logsumexp(without_own(z, labels)) - own, batch, true);
  }

 private:
  double scale_;
  bool exclude_positive_;
};

struct ProxyNcaPpOptions : ProxyNcaOptions {
  // The authors' code for CUB: 9, N(0, 1) / 8, proxies at 4e2 beside a net at 4e-3.
  ProxyNcaPpOptions() {
    softmax_scale = 9;
    init_scale = 0.125;
    lr_scale = 1e5;
  }
};

/// ProxyNca with the settings of ProxyNCA++.
class ProxyNcaPp final : public ProxyNca {
 public:
  using Options = ProxyNcaPpOptions;
  ProxyNcaPp(const Options& options, const Setup& setup) : ProxyNca(options, setup) {}
};

const Register<Loss, ProxyNca> proxy_nca_loss{{
    .name = "proxy_nca",
    .summary = "softmax over squared distances to one learnt proxy for every class",
    .paper = "Movshovitz-Attias et al., No Fuss Distance Metric Learning Using Proxies, ICCV 2017",
    .details = "the own proxy is in the denominator, as in pytorch-metric-learning; the paper's "
               "formula is exclude_positive = true, the criterion of Revisiting-DML also has "
               "softmax_scale = 9 and init_scale = 0.125. Use it with any batch for comparison "
               "with the literature; proxy_nca_pp and proxy_anchor do better.",
}};

const Register<Loss, ProxyNcaPp> plus_plus{{
    .name = "proxy_nca_pp",
    .summary = "proxy_nca with a temperature of 1/9, short first proxies and a high rate for them",
    .paper = "Teh et al., ProxyNCA++: Revisiting and Revitalizing Proxy Neighborhood Component "
             "Analysis, ECCV 2020",
    .details = "published with Adam (eps 1), a net at 4e-3 and proxies at 4e2, 8 classes of 4 "
               "images, maximum pooling and layer norm. Use it with any batch, with maximum "
               "pooling, layer norm and a rate of the proxies far above the net's.",
    .aliases = {"proxy_nca++"},
}};

}  // namespace
}  // namespace dml
