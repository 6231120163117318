#include "dml/classifier.hpp"

#include <fmt/core.h>

#include <cmath>

#include "ops/matmul.hpp"

namespace dml {
namespace {

/// The net's wish, or uniform in +-1/sqrt(dim).
Init init_or(const Init& wanted, std::int64_t dim) {
  return wanted ? wanted : init::uniform(1 / std::sqrt(static_cast<double>(dim)));
}

const Loss::Setup& classifier_setup(const Loss::Setup& setup) {
  if (setup.classes < 1 || setup.dim < 1)
    throw UsageError(fmt::format("a classifier from {} numbers to {} classes cannot be", setup.dim,
                                 setup.classes));
  return setup;
}

}  // namespace

Classifier::Classifier(const Loss::Setup& setup, double rate)
    : classes_(classifier_setup(setup).classes),
      weight_((setup.scope / "classifier")
                  .parameter("weight", {setup.classes, setup.dim},
                             init_or(setup.classifier.weight, setup.dim))),
      bias_((setup.scope / "classifier")
                .parameter("bias", {setup.classes}, init_or(setup.classifier.bias, setup.dim))) {
  weight_.lr_scale = bias_.lr_scale = rate;
}

Var Classifier::operator()(const Loss::Batch& batch) const {
  DML_CHECK(batch.labels.classes() == classes_,
            fmt::format("classifier: labels of {} classes, the classifier has {}",
                        batch.labels.classes(), classes_));
  const Var& x = batch.neck.defined() ? batch.neck : batch.embedding;
  return linear(x, x.leaf(weight_), x.leaf(bias_));
}

}  // namespace dml
