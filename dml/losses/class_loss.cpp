#include "dml/losses/class_loss.hpp"

#include <fmt/core.h>

#include <numeric>
#include <vector>

#include "ops/arithmetic.hpp"
#include "ops/cross_entropy.hpp"

namespace dml {
namespace {

std::vector<std::int64_t> first_numbers(std::int64_t n) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// The name, not an alias, of the distance that was chosen.
std::string distance_name(const TupleOptions& options) {
  return options.distance.name.empty() ? ""
                                       : Registry<Distance>::find(options.distance.name).about.name;
}

const Loss::Setup& class_loss_setup(const Loss::Setup& setup) {
  if (setup.classes < 1 || setup.dim < 1)
    throw UsageError(fmt::format("class vectors of {} numbers for {} classes cannot be", setup.dim,
                                 setup.classes));
  return setup;
}

}  // namespace

ClassLoss::ClassLoss(const ClassOptions& options, const Setup& setup, const ClassVectors& wanted)
    : TupleLoss(options,
                wanted.only_distance.empty() ? distance_name(options) : wanted.only_distance),
      regularizer_(make_nested<Regularizer>(
          options.weight_regularizer,
          {.classes = class_loss_setup(setup).classes, .centers_per_class = wanted.per_class})),
      regularizer_weight_(options.weight_reg_weight),
      classes_(setup.classes),
      per_class_(wanted.per_class),
      each_class_(first_numbers(setup.classes), setup.classes),
      vectors_(setup.scope.parameter(wanted.parameter,
                                     {setup.classes * wanted.per_class, setup.dim}, wanted.init)) {
  vectors_.lr_scale = options.lr_scale;
  vectors_.decay_scale = options.decay_scale;
}

Var ClassLoss::compute(const Batch& batch) {
  for (const std::int64_t label : batch.labels.present())
    DML_CHECK(label >= 0 && label < classes_,
              fmt::format("label {} is outside [0, {}), the classes that the loss was made for",
                          label, classes_));
  DML_CHECK(batch.embedding.dim(1) == vectors_.value.dim(1),
            fmt::format("embeddings {} and class vectors {} differ in length",
                        to_string(batch.embedding.shape()), to_string(vectors_.value.shape())));
  refuse_reference(batch, "a loss with class vectors");
  const Var loss = classify(batch);
  if (!regularizer_) return loss;
  const Var penalty = regularizer_weight_ * (*regularizer_)(vectors(batch.embedding));
  note("weight_reg_loss", penalty);
  return loss + penalty;
}

Var ClassLoss::reduced_samples(const Var& values, const Batch& batch, bool anchors_only) {
  Var weighted = values;
  if (batch.tuples != nullptr)
    weighted =
        values * values.constant_like(sample_weights(values.device(), batch.tuples, values.dim(0),
                                                     values.dtype(), anchors_only));
  return reduced("loss", ItemList{.values = weighted}, batch);
}

Var ClassLoss::reduced_cross_entropy(const Var& logits, const Batch& batch, bool anchors_only) {
  return reduced_samples(
      cross_entropy(logits, batch.labels.tensor(), {.reduction = Reduction::none}), batch,
      anchors_only);
}

Var ClassLoss::reduced_classes(const std::string& name, const Var& values, const Tensor& divisor) {
  note_items(name, values);
  const Var value =
      reduce(reducer(), {.values = values, .labels = &each_class_, .divisor = divisor}, name);
  note(name, value);
  return value;
}

}  // namespace dml
