#include "dml/rcdml/relations.hpp"
#include "nets/head.hpp"
#include "ops/arithmetic.hpp"
#include "ops/sum.hpp"
#include "tests/golden/losses.hpp"

namespace dml::golden {
namespace {

Labels labels_of(const Case& given) {
  return Labels(integers_of(given, "in.labels"), given.integer("nb_classes"));
}

const AddGolden anchor{
    "rcdml", "proxy_anchor", [](Run& run) {
      const Case& given = run.given();
      LossRun loss(
          run, "proxy_anchor",
          {{"alpha", given.text("alpha")}, {"margin", given.text("mrg")}, {"norm_floor", "added"}},
          given.at("in.embeddings").dim(1), given.integer("nb_classes"));
      loss.parameter("proxies", "proxies");
      const Var x = loss.input("embeddings");
      const Labels labels = labels_of(given);
      const Var y = loss.loss()({.embedding = x, .features = x, .labels = labels});
      run.give("out.pos_term", loss.loss().diagnostics().at("pos_loss"));
      run.give("out.neg_term", loss.loss().diagnostics().at("neg_loss"));
      loss.finish(y);
    }};

/// Rows of a matrix [size, d] at the classes that hold them, zeros elsewhere.
Tensor by_class(Run& run, const Var& rows, const rcdml::Slots& slots) {
  const Tensor all = run.device().dense(rows.value()).to_host();
  Tensor result({slots.classes, rows.dim(1)}, all.dtype());
  visit_float(all.dtype(), [&]<class T>() {
    for (std::int64_t s = 0; s < slots.present; ++s)
      std::copy_n(all.raw<T>() + s * rows.dim(1), rows.dim(1),
                  result.raw<T>() + slots.slot_class.raw<std::int64_t>()[s] * rows.dim(1));
  });
  return result;
}

const AddGolden whole{
    "rcdml", "rcdml", [](Run& run) {
      const Case& given = run.given();
      LossRun loss(run, "rcdml",
                   {{"alpha", given.text("alpha")},
                    {"margin", given.text("mrg")},
                    {"prc", given.text("prc")},
                    {"src", given.text("src")},
                    {"keep", given.text("proxy_keep")},
                    {"mix", given.text("proxy_mix")}},
                   given.at("in.embeddings").dim(1), given.integer("nb_classes"));
      loss.parameter("proxies", "proxies");
      const Var x = loss.input("embeddings");
      const Labels labels = labels_of(given);
      const Var y = loss.loss()({.embedding = x, .features = x, .labels = labels});
      for (const char* part : {"pos_term", "neg_term", "prc", "src"})
        run.give(std::string("out.") + part, loss.loss().diagnostics().at(part));
      const rcdml::Slots slots(labels, labels.classes());
      const auto parts = rcdml::corrected(x.detached(), run.constant("proxies"), slots,
                                          given.number("proxy_keep"), given.number("proxy_mix"));
      run.give("out.sample_weights", parts.weights.value());
      run.give("out.corrected_proxies", by_class(run, parts.proxies, slots));
      loss.finish(y);
    }};

const AddGolden proxies{"rcdml", "prc", [](Run& run) {
                          const Labels labels = labels_of(run.given());
                          const rcdml::Slots slots(labels, labels.classes());
                          const auto parts = rcdml::corrected(
                              run.variable("embeddings"), run.variable("proxies"), slots, 0.7, 0.3);
                          run.loss(rcdml::proxy_relation(parts.proxies));
                        }};

const AddGolden samples{"rcdml", "src", [](Run& run) {
                          const Labels labels = labels_of(run.given());
                          run.variable("proxies");  // which this term leaves alone
                          run.loss(rcdml::sample_relation(run.variable("embeddings"),
                                                          rcdml::Slots(labels, labels.classes())));
                        }};

const AddGolden head{"rcdml", "avgmax_head", [](Run& run) {
                       const Case& given = run.given();
                       const Tensor weight = run.tensor("param.weight");
                       ParameterStore store(run.device(), run.type());
                       const Head avgmax({.pooling = "both",
                                          .dim = weight.dim(0),
                                          .normalize = given.flag("is_norm") ? "added" : "none"},
                                         Scope(store), weight.dim(1));
                       const Var map = run.map("feature_map");
                       Parameter& w = *store.find("embedding.weight");
                       Parameter& b = *store.find("embedding.bias");
                       w.value = run.device().upload(weight);
                       b.value = run.device().upload(run.tensor("param.bias"));
                       const Var embedding = avgmax(map).embedding;
                       run.give("out.embeddings", embedding.value());
                       const Var y = sum(embedding * run.constant("upstream"));
                       run.give("out.loss", y.value());
                       run.tape().backward(y);
                       run.give("grad.weight", w.grad);
                       run.give("grad.bias", b.grad);
                       run.give("grad.feature_map",
                                to_channels_first(run.tape().gradient(map).to_host()));
                     }};

}  // namespace
}  // namespace dml::golden
