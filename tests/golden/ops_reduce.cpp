#include "ops/cross_entropy.hpp"
#include "ops/divergence.hpp"
#include "ops/max_axis.hpp"
#include "ops/norm.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"
#include "ops/topk.hpp"
#include "ops/variance.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

int axis(const Run& run) { return static_cast<int>(run.given().integer("dim")); }

const AddGolden softmax_case{
    "ops", "softmax", [](Run& run) {
      run.output("y", softmax(run.variable("x"), run.given().number("temperature", 1), axis(run)));
    }};

const AddGolden log_softmax_case{"ops", "log_softmax", [](Run& run) {
                                   run.output("y", log_softmax(run.variable("x"), 1, axis(run)));
                                 }};

const AddGolden logsumexp_case{
    "ops", "logsumexp", [](Run& run) { run.output("y", logsumexp(run.variable("x"), axis(run))); }};

const AddGolden cross_entropy_case{
    "ops", "cross_entropy", [](Run& run) {
      const Case& given = run.given();
      if (given.has("in.q")) {
        run.output("y", cross_entropy_soft(run.variable("x"), run.variable("q")));
        return;
      }
      CrossEntropyOptions options;
      options.label_smoothing = given.number("label_smoothing", 0);
      options.ignore_index = given.integer("ignore_index", -100);
      const std::string reduction = given.text("reduction", "mean");
      options.reduction = reduction == "none"  ? Reduction::none
                          : reduction == "sum" ? Reduction::sum
                                               : Reduction::mean;
      if (given.has("in.weight")) options.class_weight = run.tensor("in.weight");
      run.output("y", cross_entropy(run.variable("x"), run.tensor("in.y"), options));
    }};

const AddGolden nll_case{"ops", "nll_loss", [](Run& run) {
                           run.output("y", nll(softmax(run.variable("x")), run.tensor("in.y")));
                         }};

const AddGolden kl_case{
    "ops", "kl_div_batchmean", [](Run& run) {
      run.output("y", kl_divergence(log_softmax(run.variable("x")), run.variable("q")));
    }};

const AddGolden bce_case{
    "ops", "binary_cross_entropy_with_logits",
    [](Run& run) { run.output("y", binary_cross_entropy(run.variable("x"), run.variable("t"))); }};

const AddGolden reduce{"ops", "reduce", [](Run& run) {
                         const Var x = run.variable("x");
                         run.output("sum0", sum(x, 0));
                         run.output("mean1", mean(x, 1));
                         run.output("var_unbiased", variance(x, 1));
                         run.output("var_biased", variance(x, 1, false));
                         run.output("std", standard_deviation(x, 0));
                         run.output("sum", sum(x));
                         run.output("mean_keep", mean(mean(x, 2, true), 1, true));
                       }};

const AddGolden max_min{"ops", "max_min_dim", [](Run& run) {
                          const Var x = run.variable("x");
                          const Picked most = max(x, axis(run));
                          run.output("max", most.values);
                          run.output("min", min(x, axis(run)).values);
                          run.give("out.argmax", most.indices);
                        }};

const AddGolden amax_case{"ops", "amax_ties",
                          [](Run& run) { run.output("y", amax(run.variable("x"), axis(run))); }};

const AddGolden topk_case{"ops", "topk", [](Run& run) {
                            run.output("y", topk(run.variable("x"), run.given().integer("k"),
                                                 axis(run), run.given().flag("largest", true))
                                                .values);
                          }};

const AddGolden norm_case{"ops", "norm2",
                          [](Run& run) { run.output("y", norm(run.variable("x"))); }};

const AddGolden l1_case{
    "ops", "l1_normalize", [](Run& run) {
      run.output("y", l1_normalize(run.variable("x"), axis(run), run.given().number("eps")));
    }};

}  // namespace
}  // namespace dml::golden
