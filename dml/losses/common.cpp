#include "dml/losses/common.hpp"

#include <fmt/core.h>

#include "engine/names.hpp"
#include "ops/arithmetic.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

void check(const Loss::Batch& batch) {
  const Var& x = batch.embedding;
  DML_CHECK(x.defined() && x.rank() == 2 && x.dim(0) == batch.labels.size(),
            fmt::format("a loss needs embeddings [n, d] and n labels; found {} and {}",
                        x.defined() ? to_string(x.shape()) : "nothing", batch.labels.size()));
  if (!batch.reference.defined()) return;
  const Var& r = batch.reference;
  DML_CHECK(r.rank() == 2 && r.dim(1) == x.dim(1),
            fmt::format("a reference set {} does not go with embeddings {}", to_string(r.shape()),
                        to_string(x.shape())));
  DML_CHECK(batch.reference_labels != nullptr && batch.reference_labels->size() == r.dim(0),
            fmt::format("a reference set of {} rows needs as many labels", r.dim(0)));
}

}  // namespace

CommonLoss::CommonLoss(const CommonOptions& options)
    : reducer_(make_nested<Reducer>(options.reducer, {})),
      regularizer_(make_nested<Regularizer>(options.embedding_regularizer, {})),
      miner_(make_nested<Miner>(options.miner, {})),
      regularizer_weight_(options.embedding_reg_weight) {
  if (!reducer_) throw UsageError("a loss needs a reducer\n  mean, sum, avg_non_zero, ..");
}

Var CommonLoss::operator()(const Batch& batch) {
  check(batch);
  if (miner_ && batch.tuples == nullptr) {
    Device& device = batch.embedding.device();
    const Tuples mined = (*miner_)(device, {.embedding = batch.embedding.value(),
                                            .labels = batch.labels,
                                            .reference = batch.reference.value(),
                                            .reference_labels = batch.reference_labels,
                                            .random = batch.random});
    Batch chosen = batch;
    chosen.tuples = &mined;
    return (*this)(chosen);
  }
  const Var loss = compute(batch);
  if (!regularizer_) return loss;
  const Var penalty = regularizer_weight_ * (*regularizer_)(batch.embedding);
  note("embedding_reg_loss", penalty);
  return loss + penalty;
}

Var CommonLoss::reduced(const std::string& name, Items items, const Batch& batch) {
  items.labels = &batch.labels;
  note_items(name, items.totals);
  const Var value = (*reducer_)(items, name);
  note(name, value);
  return value;
}

Var CommonLoss::reduced(const std::string& name, ItemList list, const Batch& batch) {
  list.labels = &batch.labels;
  return reduced(name, sum_items(list, reducer_->bounds(name)), batch);
}

TupleLoss::TupleLoss(const TupleOptions& options)
    : CommonLoss(options), distance_(make_nested<Distance>(options.distance, {})) {
  if (!distance_) throw UsageError("this loss needs a distance\n  lp, cosine, dot or snr");
}

TupleLoss::TupleLoss(const TupleOptions& options, const std::string& only_distance)
    : TupleLoss(options) {
  if (Registry<Distance>::find(options.distance.name).about.name != only_distance)
    throw UsageError(fmt::format("is defined for the distance '{}' alone, not for '{}'",
                                 only_distance, options.distance.name));
}

Var TupleLoss::matrix(const Batch& batch) const {
  return batch.reference.defined() ? distance()(batch.embedding, batch.reference)
                                   : distance()(batch.embedding);
}

Tensor TupleLoss::relation(const Batch& batch) {
  Device& device = batch.embedding.device();
  const std::int64_t n = batch.labels.size(), q = reference_labels(batch).size();
  if (batch.tuples != nullptr) return pair_relation(device, *batch.tuples, n, q);
  return relation_of(device, batch.labels,
                     batch.reference.defined() ? batch.reference_labels : nullptr);
}

void TupleLoss::refuse_tuples(const Batch& batch, const std::string& loss) {
  if (batch.tuples != nullptr)
    throw UsageError(loss + " takes no pairs or triplets\n  use it without a miner");
}

void TupleLoss::refuse_reference(const Batch& batch, const std::string& loss) {
  if (batch.reference.defined())
    throw UsageError(loss + " takes no reference set\n  use it without a memory");
}

Var total_of(const std::vector<Var>& terms) {
  Var total = terms.at(0);
  for (std::size_t i = 1; i < terms.size(); ++i) total = total + terms[i];
  return total;
}

}  // namespace dml
