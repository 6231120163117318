#include "ops/batch_norm.hpp"
#include "ops/cosine.hpp"
#include "ops/distance.hpp"
#include "ops/gru.hpp"
#include "ops/layer_norm.hpp"
#include "ops/leaky_relu.hpp"
#include "ops/matmul.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

const AddGolden cosine_matrix{"ops", "cosine_matrix", [](Run& run) {
                                run.output("y", cosine(run.variable("a"), run.variable("b")));
                              }};

const AddGolden cosine_similarity_case{
    "ops", "cosine_similarity", [](Run& run) {
      run.output("y", cosine_similarity(run.variable("a"), run.variable("b"),
                                        run.given().number("eps", 1e-8)));
    }};

const AddGolden pearson_matrix{"ops", "pearson_matrix",
                               [](Run& run) { run.output("y", pearson(run.variable("x"))); }};

const AddGolden cdist{"ops", "cdist", [](Run& run) {
                        const Var x = run.variable("x");
                        const Var y = run.given().has("in.y") ? run.variable("y") : x;
                        const bool product =
                            run.given().text("formula", "").find("2xy") != std::string::npos;
                        run.output("y", product ? distance_by_product(x, y) : distance(x, y));
                      }};

const AddGolden pairwise{"ops", "pairwise_distance", [](Run& run) {
                           run.output("y", pairwise_distance(run.variable("a"), run.variable("b"),
                                                             run.given().number("eps", 1e-6)));
                         }};

const AddGolden pdist_squared{"ops", "pdist_squared", [](Run& run) {
                                const Var x = run.variable("x");
                                run.output("y", squared_distance(x, x));
                              }};

const AddGolden pdist_squared_gram{"ops", "pdist_squared_gram", [](Run& run) {
                                     const Var x = run.variable("x");
                                     run.output("y", squared_distance_by_product(x, x));
                                   }};

const AddGolden pdist_sqrt_clamp{"ops", "pdist_sqrt_clamp", [](Run& run) {
                                   const Var x = run.variable("x");
                                   run.output("y",
                                              square_root(clamp_min(squared_distance(x, x), 1e-4)));
                                 }};

const AddGolden layer_norm_case{
    "ops", "layer_norm", [](Run& run) {
      const bool affine = run.given().has("param.weight");
      run.output("y", layer_norm(run.variable("x"), affine ? run.variable("weight") : Var(),
                                 affine ? run.variable("bias") : Var(), run.given().number("eps")));
    }};

GruWeights gru_weights(Run& run, const std::string& suffix) {
  return {run.variable("weight_ih" + suffix), run.variable("weight_hh" + suffix),
          run.variable("bias_ih" + suffix), run.variable("bias_hh" + suffix)};
}

const AddGolden gru_cell_case{
    "ops", "gru_cell", [](Run& run) {
      run.output("y", gru_cell(run.variable("x"), run.variable("h"), gru_weights(run, "")));
    }};

const AddGolden gru_bidirectional{"ops", "gru_bidirectional", [](Run& run) {
                                    const GruResult result = bidirectional_gru(
                                        run.variable("x"), run.variable("h0"),
                                        gru_weights(run, "_l0"), gru_weights(run, "_l0_reverse"));
                                    run.output("y", result.output);
                                    run.output("hn", result.last);
                                  }};

const AddGolden batchnorm_mlp{
    "ops", "batchnorm_mlp", [](Run& run) {
      RunningStatistics none;
      const Var hidden = linear(run.variable("x"), run.variable("w1"), run.variable("b1"));
      const Var normed = batch_norm(hidden, run.variable("g"), run.variable("be"), none, {});
      run.output("y", linear(leaky_relu(normed, 0.01), run.variable("w2"), Var()));
    }};

}  // namespace
}  // namespace dml::golden
