#include "dml/revisiting/mined_loss.hpp"

#include "dml/tuples.hpp"
#include "ops/gather.hpp"
#include "ops/reshape.hpp"

namespace dml::revisiting {
namespace {

/// 1 for the first `count` of t entries; count lies on the device.   [t]
Tensor first_of(const Var& v, const Tensor& count, std::int64_t t) {
  Tensor table({t + 1, t}, v.dtype());
  visit_float(v.dtype(), [&]<class T>() {
    for (std::int64_t c = 0; c <= t; ++c)
      for (std::int64_t i = 0; i < c; ++i) table.raw<T>()[c * t + i] = T(1);
  });
  const Var row = index_select(v.constant_like(table), 0, count.reshape({1}));
  return reshape(row, {t}).value();
}

}  // namespace

MinedLoss::MinedLoss(const MinedOptions& options, double margin)
    : miner_{.miner = options.miner,
             .margin = margin,
             .lower_cutoff = options.lower_cutoff,
             .cp = options.cp,
             .support = {.points = options.parametric_supports,
                         .low = options.parametric_low,
                         .high = options.parametric_high,
                         .mode = options.parametric_mode}} {}

Triplets MinedLoss::triplets(const Batch& batch) const {
  refuse_reference(batch);
  if (batch.tuples == nullptr) return mine(batch.embedding, batch.labels, batch.random, miner_);
  DML_CHECK(batch.tuples->form == Tuples::Form::triplets,
            "this loss takes a list of triplets, not pairs\n  leave the miner to its own option");
  const Tuples& given = *batch.tuples;
  Triplets result{given.anchor, given.positive, given.negative};
  if (given.count.defined())
    result.counted = first_of(batch.embedding, given.count, given.anchor.dim(0));
  return result;
}

void refuse_reference(const Loss::Batch& batch) {
  DML_CHECK(!batch.reference.defined(),
            "this loss compares the images of a batch; it takes no reference set");
}

}  // namespace dml::revisiting
