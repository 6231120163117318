#include "dml/losses/triplets.hpp"

#include "dml/pairs/pick.hpp"
#include "engine/names.hpp"

namespace dml {

TripletLoss::TripletLoss(const TripletOptions& options) : TupleLoss(options) {
  if (canonical(options.triplets_per_anchor) == "all") return;
  schema::assign({"triplets_per_anchor", "integer", "", "", {1, 1e9}, ""},
                 options.triplets_per_anchor, random_per_anchor_);
}

Tuples TripletLoss::triplets(const Batch& batch) const {
  Device& device = batch.embedding.device();
  const Labels* reference = batch.reference.defined() ? batch.reference_labels : nullptr;
  if (batch.tuples != nullptr) {
    Tuples given = *batch.tuples;
    if (given.form == Tuples::Form::pairs) given.form = Tuples::Form::product;
    return given;
  }
  if (random_per_anchor_ > 0)
    return random_triplets(device, batch.labels, reference, random_per_anchor_, batch.random);
  Tuples all = all_pairs(device, batch.labels, reference);
  all.form = Tuples::Form::product;
  return all;
}

TripletLoss::Listed TripletLoss::listed(const Var& matrix, const Tuples& list) {
  return {pick(matrix, list, &Tuples::anchor, &Tuples::positive),
          pick(matrix, list, &Tuples::anchor, &Tuples::negative),
          valid_entries(matrix.device(), list, matrix.dtype()), list.anchor};
}

}  // namespace dml
