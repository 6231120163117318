#include "ops/cross_entropy.hpp"
#include "ops/softmax.hpp"
#include "ops/sum.hpp"
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
        run.output("y", cross_entropy_soft(run.variable("x"), run.constant("q")));
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

}  // namespace
}  // namespace dml::golden
