#include <cmath>

#include "dml/losses/common.hpp"
#include "dml/rcdml/relations.hpp"
#include "ops/arithmetic.hpp"

namespace dml {
namespace {

/// Proxy-anchor on proxies that were moved towards the images of their classes, plus
/// prc sum over j != k of max(0, cos(q_j, q_k)) over those proxies, plus
/// src sum over classes of exp(-smallest cosine of two of their images).
class Rcdml final : public CommonLoss {
 public:
  struct Options : CommonOptions {
    Options() : CommonOptions("mean") {}
    double alpha = 32;
    double margin = 0.1;
    double prc = 0.02;
    double src = 0.01;
    double keep = 0.7;
    double mix = 0.3;
    double lr_scale = 1000;
    double decay_scale = 1;
    static constexpr auto fields = CommonOptions::with(
        field("alpha", &Options::alpha, "times the exponents of proxy-anchor", {1e-6, 1e6}),
        field("margin", &Options::margin, "delta of proxy-anchor", {-4, 4}),
        field("prc", &Options::prc,
              "weight of the proxy relation constraint; it grows with the square of the number of "
              "classes in a batch",
              {0, 1e6}),
        field("src", &Options::src, "weight of the sample relation constraint", {0, 1e6}),
        field("keep", &Options::keep, "share of the proxy in the corrected one", {0, 1e6}),
        field("mix", &Options::mix, "share of the images in the corrected proxy", {0, 1e6}),
        field("lr_scale", &Options::lr_scale, "proxies learn at this multiple of the net's rate",
              {0, 1e9}),
        field("decay_scale", &Options::decay_scale,
              "proxies decay at this multiple of the weight decay", {0, 1e6}));
  };

  Rcdml(const Options& options, const Setup& setup)
      : CommonLoss(options),
        options_(options),
        classes_(setup.classes),
        proxies_(setup.scope.parameter(
            "proxies", {setup.classes, setup.dim},
            init::normal(
                std::sqrt(2.0 / static_cast<double>(std::max<std::int64_t>(setup.classes, 1)))))) {
    proxies_.lr_scale = options.lr_scale;
    proxies_.decay_scale = options.decay_scale;
  }

 protected:
  Var compute(const Batch& batch) override {
    if (batch.tuples != nullptr || batch.reference.defined())
      throw UsageError("rcdml takes neither pairs nor a reference set");
    const Var& x = batch.embedding;
    const rcdml::Slots slots(batch.labels, classes_);
    const Var proxies =
        rcdml::corrected(x, x.leaf(proxies_), slots, options_.keep, options_.mix).proxies;
    const auto anchor =
        rcdml::proxy_anchor_terms(x, proxies, slots, options_.alpha, options_.margin);
    const Var prc = rcdml::proxy_relation(proxies), src = rcdml::sample_relation(x, slots);
    note("pos_term", anchor.positive);
    note("neg_term", anchor.negative);
    note("prc", prc);
    note("src", src);
    return total_of({anchor.positive, anchor.negative, options_.prc * prc, options_.src * src});
  }

 private:
  Options options_;
  std::int64_t classes_;
  Parameter& proxies_;
};

const Register<Loss, Rcdml> rcdml_loss{{
    .name = "rcdml",
    .summary = "proxy-anchor on corrected proxies with constraints between proxies and between "
               "images",
    .paper = "Zhang et al., Relationship Constraint Deep Metric Learning, Applied Intelligence "
             "2024",
    .details = "as the published code: classes absent from a batch have a zero proxy and learn "
               "nothing; prc = src = 0 is not proxy_anchor, because the correction stays. Proxies "
               "learn at 1000 times the net's rate. Use it where proxy_anchor would do and "
               "relations among proxies and among images should hold as well.",
}};

}  // namespace
}  // namespace dml
