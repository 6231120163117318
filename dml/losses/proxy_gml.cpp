#include <algorithm>
#include <cmath>

#include "dml/losses/class_loss.hpp"
#include "ops/arithmetic.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/gather.hpp"
#include "ops/keep_above.hpp"
#include "ops/reshape.hpp"
#include "ops/self_product.hpp"
#include "ops/slice.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"
#include "ops/topk.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// Similarities s = x p / |p| to N proxies of every class, of which each row keeps the
/// ceil(ratio C N) largest, its own proxies first; l_c is the sum of what is kept of class c. The
/// loss is -log(exp(l_y) / (sum over classes with a kept proxy of exp(l_c) + 1e-8)) plus weight
/// times the same cross-entropy of the unit proxies themselves, where all are kept.
class ProxyGml final : public ClassLoss {
 public:
  struct Options : ClassOptions {
    // The authors' code: proxies at 3e-2 beside a net at 1e-4.
    Options() : ClassOptions({"dot", {{"normalize", "false"}}}, "mean", 300) {}
    std::int64_t proxies_per_class = 10;
    double ratio = 0.05;
    double weight = 0.3;
    static constexpr auto fields = ClassOptions::with(
        field("proxies_per_class", &Options::proxies_per_class, "N: proxies of every class",
              {1, 10000}),
        field("ratio", &Options::ratio, "r: share of all proxies that an image looks at", {0, 1}),
        field("weight", &Options::weight, "lambda: weight of the classification of proxies",
              {0, 1e6}));
  };

  ProxyGml(Options options, const Setup& setup)
      : ClassLoss(options, setup,
                  {.parameter = "proxies",
                   .init = init::uniform(1 / std::sqrt(static_cast<double>(
                                                 setup.classes * options.proxies_per_class))),
                   .per_class = options.proxies_per_class,
                   .only_distance = "dot"}),
        options_(options) {}

  Var logits(const Var& x) override { return by_class(distance()(x, unit_rows(vectors(x)))); }

 protected:
  Var classify(const Batch& batch) override {
    const Var& x = batch.embedding;
    const Var units = unit_rows(vectors(x));
    const Var s = distance()(x, units);
    const Var kept = chosen(s, batch.labels);
    const Var cost =
        reduced_samples(cost_of(by_class(s * kept), by_class(kept), batch.labels.tensor()), batch);
    if (options_.weight == 0) return cost;
    const Var apart = by_class(self_product(units));
    Tensor own = Tensor::empty({apart.dim(0)}, DType::i64);
    for (std::int64_t i = 0; i < own.size(); ++i) own.raw<std::int64_t>()[i] = i / per_class();
    const Var proxies = options_.weight * cross_entropy(apart, own);
    note("proxy_loss", proxies);
    return cost + proxies;
  }

 private:
  /// The sum over the proxies of every class.   [n, classes * N] -> [n, classes]
  Var by_class(const Var& of_proxies) const {
    return sum(reshape(of_proxies, {of_proxies.dim(0), classes(), per_class()}), 2);
  }
  /// 1 for the proxies that a row keeps, else 0.   [n, classes * N]
  Var chosen(const Var& s, const Labels& labels) const {
    const std::int64_t n = s.dim(0), all = classes() * per_class();
    Tensor lift({n, all}, s.dtype());  // puts the own proxies before all others
    visit_float(s.dtype(), [&]<class T>() {
      for (std::int64_t i = 0; i < n; ++i)
        std::fill_n(lift.raw<T>() + i * all + labels[i] * per_class(), per_class(), T(1e6));
    });
    const auto share =
        static_cast<std::int64_t>(std::ceil(options_.ratio * static_cast<double>(all) - 1e-9));
    const std::int64_t k = std::clamp(share, per_class(), all);
    const Tensor best = topk(s.detached() + s.constant_like(lift), k).indices;
    Tensor ones = Tensor::empty({n, k}, s.dtype());
    visit_float(s.dtype(), [&]<class T>() { std::fill_n(ones.raw<T>(), ones.size(), T(1)); });
    const Var nothing = s.constant_like(Tensor({n, all}, s.dtype()));
    return scatter_add(nothing, 1, best, s.constant_like(ones));
  }
  /// log(sum over classes of which `kept` counts a proxy of exp(l_c) + 1e-8) - l_y.   [n]
  static Var cost_of(const Var& l, const Var& kept, const Tensor& labels) {
    const std::int64_t n = l.dim(0);
    // keep_above gives minus infinity for classes without a kept proxy.
    const Var masked = l + (keep_above(kept, 0.5) - kept);
    Tensor floor = Tensor::empty({n, 1}, l.dtype());
    visit_float(l.dtype(),
                [&]<class T>() { std::fill_n(floor.raw<T>(), n, static_cast<T>(std::log(1e-8))); });
    const Var own = reshape(gather(l, 1, labels.reshape({n, 1})), {n});
    return logsumexp(concat({masked, l.constant_like(floor)}, 1)) - own;
  }

  Options options_;
};

const Register<Loss, ProxyGml> proxy_gml_loss{{
    .name = "proxy_gml",
    .summary = "every image is classified over the few proxies that lie nearest to it",
    .paper = "Zhu et al., Fewer is More: A Deep Graph Metric Learning Perspective Using Fewer "
             "Proxies, NeurIPS 2020",
    .details =
        "the own proxies are always kept, also where ratio would leave fewer. Proxies learn "
        "at 300 times the net's rate (3e-2 and 1e-4); embeddings are used as they come. Use it "
        "where classes have several modes, with fewer proxies counted for each image than all.",
}};

}  // namespace
}  // namespace dml
