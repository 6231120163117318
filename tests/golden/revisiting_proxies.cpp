#include "tests/golden/losses.hpp"

namespace dml::golden {
namespace {

/// A criterion with class vectors, with the settings of the file.
void run_with(Run& run, const std::string& name, const Settings& settings,
              const std::string& parameter, const std::string& stored, std::int64_t per_class,
              bool by_column = false) {
  const Case& given = run.given();
  const std::int64_t vectors = given.at("param." + stored).dim(by_column ? 1 : 0);
  LossRun loss(run, name, settings, given.at("in.embeddings").dim(1), vectors / per_class);
  loss.parameter(parameter, stored, by_column);
  const Var x = loss.input("embeddings");
  const Labels labels(integers_of(given, "in.labels"));
  loss.finish(loss.loss()({.embedding = x, .features = x, .labels = labels}));
}

const AddGolden nca{"revisiting", "proxynca", [](Run& run) {
                      const double scale = run.given().number("scale");  // of both unit vectors
                      run_with(run, "proxy_nca",
                               {{"softmax_scale", schema::text_of(scale * scale)},
                                {"exclude_positive", "true"},
                                {"init_scale", "0.125"}},
                               "proxies", "proxies", 1);
                    }};

const AddGolden softmax{"revisiting", "softmax", [](Run& run) {
                          run_with(run, "normalized_softmax",
                                   {{"temperature", run.given().text("temperature")},
                                    {"distance.normalize", "false"},
                                    {"init", "uniform"}},
                                   "W", "class_map", 1);
                        }};

const AddGolden arcface{"revisiting", "arcface", [](Run& run) {
                          run_with(run, "revisiting_arcface",
                                   {{"angular_margin", run.given().text("angular_margin")},
                                    {"feature_scale", run.given().text("feature_scale")}},
                                   "class_map", "class_map", 1);
                        }};

/// out.loss and grad.* are the published arithmetic, out.*_paper is the default.
const AddGolden softtriplet{
    "revisiting", "softtriplet", [](Run& run) {
      const Case& given = run.given();
      const std::int64_t per_class = given.integer("n_centroids");
      Settings settings{{"n_centroids", given.text("n_centroids")},
                        {"gamma", given.text("gamma")},
                        {"lambda", given.text("lambda")},
                        {"margin_delta", given.text("margin_delta")},
                        {"reg_weight", given.text("reg_weight")}};
      Run paper(given, run.device(), run.type());
      run_with(paper, "revisiting_softtriplet", settings, "centroids", "centroids", per_class,
               true);
      run.give("out.loss_paper", paper.results().at("out.loss"));
      run.give("out.grad_embeddings_paper", paper.results().at("grad.embeddings"));
      run.give("out.grad_centroids_paper", paper.results().at("grad.centroids"));
      settings["published"] = "true";
      run_with(run, "revisiting_softtriplet", settings, "centroids", "centroids", per_class, true);
    }};

}  // namespace
}  // namespace dml::golden
