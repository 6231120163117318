#include "tests/golden/losses.hpp"

namespace dml::golden {
namespace {

/// A loss that PML defines, with the settings of the code base.
void run_with(Run& run, const std::string& name, const Settings& settings) {
  const Case& given = run.given();
  const bool proxies = given.has("param.proxies");
  const std::int64_t classes = proxies ? given.at("param.proxies").dim(0) : 0;
  LossRun loss(run, name, settings, given.at("in.embeddings").dim(1), classes);
  if (proxies) loss.parameter("proxies", "proxies");
  const Var x = loss.input("embeddings");
  const Labels labels(integers_of(given, "in.labels"));
  loss.finish(loss.loss()({.embedding = x, .features = x, .labels = labels}));
  run.ignore("out.loss_pml_0_9_82", "for information: what another release gives");
}

const AddGolden nca{"proxy", "proxy_nca", [](Run& run) {
                      run_with(run, "proxy_nca", {{"softmax_scale", run.given().text("scale")}});
                      for (const char* name : {"grad.embeddings", "grad.proxies"})
                        run.loosen(name, {.relative = 2e-5,
                                          .reason = "the exponents are 32 squared distances: two "
                                                    "roundings of one are 1e-5 of its softmax"});
                    }};

const AddGolden contrastive{"proxy", "contrastive", [](Run& run) {
                              run_with(run, "contrastive",
                                       {{"pos_margin", run.given().text("pos_margin")},
                                        {"neg_margin", run.given().text("margin")}});
                            }};

const AddGolden npair{
    "proxy", "npair", [](Run& run) {
      run_with(run, "n_pairs", {{"distance", "dot"}, {"distance.normalize", "false"}});
    }};

}  // namespace
}  // namespace dml::golden
