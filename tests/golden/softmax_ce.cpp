#include "ops/arithmetic.hpp"
#include "ops/cross_entropy.hpp"
#include "ops/gather.hpp"
#include "ops/log.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {
namespace {

const AddGolden plain{
    "softmax_ce", "cross_entropy", [](Run& run) {
      run.loss(cross_entropy(run.variable("logits"), run.tensor("in.labels"),
                             {.temperature = run.given().number("temperature", 1)}));
    }};

const AddGolden smoothed{
    "softmax_ce", "label_smoothing_ce", [](Run& run) {
      run.loss(cross_entropy(run.variable("logits"), run.tensor("in.labels"),
                             {.label_smoothing = run.given().number("epsilon"),
                              .temperature = run.given().number("temperature", 1)}));
    }};

const AddGolden likelihood{
    "softmax_ce", "nll_log_eps", [](Run& run) {
      const Tensor labels = run.tensor("in.labels");
      const Var own = gather(run.variable("probs"), 1, labels.reshape({labels.size(), 1}));
      run.loss(-mean(log(own, run.given().number("eps"))));
    }};

const AddGolden probabilities{"softmax_ce", "temperature_softmax", [](Run& run) {
                                const Var p = softmax(run.variable("logits"),
                                                      run.given().number("temperature"));
                                run.give("out.probs", p.value());
                                run.loss(sum(p * run.variable("cotangent")));
                              }};

}  // namespace
}  // namespace dml::golden
