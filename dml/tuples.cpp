#include "dml/tuples.hpp"

#include <fmt/core.h>

#include <map>
#include <string>

#include "dml/pairs/relation.hpp"

namespace dml {
namespace {

void check_indices(const char* what, std::span<const std::int64_t> indices, std::int64_t end) {
  for (const std::int64_t i : indices)
    DML_CHECK(i >= 0 && i < end, fmt::format("tuples: {} {} is outside [0, {})", what, i, end));
}

void check_lengths(std::size_t a, std::size_t b) {
  DML_CHECK(a == b, fmt::format("tuples: lists of {} and {} indices do not go together", a, b));
}

Tensor index_tensor(Device& device, std::span<const std::int64_t> indices) {
  return device.upload(
      Tensor::of<std::int64_t>({static_cast<std::int64_t>(indices.size())}, indices));
}

/// The members of every class, by label.
std::map<std::int64_t, std::vector<std::int64_t>> members(const Labels& labels) {
  std::map<std::int64_t, std::vector<std::int64_t>> of;
  for (std::int64_t i = 0; i < labels.size(); ++i) of[labels[i]].push_back(i);
  return of;
}

}  // namespace

Tensor relation_of(Device& device, const Labels& anchors, const Labels* reference) {
  const Tensor a = device.upload(anchors.tensor());
  const Tensor b = reference == nullptr ? a : device.upload(reference->tensor());
  Tensor relation = device.empty({a.size(), b.size()}, DType::f32);
  kernel::label_relation(device, a, b, reference == nullptr, relation);
  return relation;
}

Tuples all_pairs(Device& device, const Labels& anchors, const Labels* reference) {
  Tuples tuples;
  tuples.relation = relation_of(device, anchors, reference);
  return tuples;
}

Tuples pairs_from_lists(Device& device, std::int64_t n, std::int64_t q,
                        std::span<const std::int64_t> a1, std::span<const std::int64_t> p,
                        std::span<const std::int64_t> a2, std::span<const std::int64_t> negatives) {
  check_lengths(a1.size(), p.size());
  check_lengths(a2.size(), negatives.size());
  check_indices("anchor", a1, n);
  check_indices("anchor", a2, n);
  check_indices("positive", p, q);
  check_indices("negative", negatives, q);
  Tensor relation({n, q}, DType::f32);
  for (std::size_t t = 0; t < a1.size(); ++t) relation.raw<float>()[a1[t] * q + p[t]] += 1;
  for (std::size_t t = 0; t < a2.size(); ++t) relation.raw<float>()[a2[t] * q + negatives[t]] -= 1;
  Tuples tuples;
  tuples.relation = device.upload(relation);
  return tuples;
}

Tuples triplets_from_lists(Device& device, std::int64_t n, std::int64_t q,
                           std::span<const std::int64_t> a, std::span<const std::int64_t> p,
                           std::span<const std::int64_t> negatives) {
  check_lengths(a.size(), p.size());
  check_lengths(a.size(), negatives.size());
  check_indices("anchor", a, n);
  check_indices("positive", p, q);
  check_indices("negative", negatives, q);
  Tuples tuples;
  tuples.form = Tuples::Form::triplets;
  tuples.anchor = index_tensor(device, a);
  tuples.positive = index_tensor(device, p);
  tuples.negative = index_tensor(device, negatives);
  return tuples;
}

Tuples random_triplets(Device& device, const Labels& anchors, const Labels* reference,
                       std::int64_t k, Random random) {
  const Labels& others = reference == nullptr ? anchors : *reference;
  const auto of = members(others);
  std::vector<std::int64_t> a, p, negatives;
  for (std::int64_t i = 0; i < anchors.size(); ++i) {
    const auto own = of.find(anchors[i]);
    std::vector<std::int64_t> positives =
        own == of.end() ? std::vector<std::int64_t>{} : own->second;
    if (reference == nullptr) std::erase(positives, i);
    std::vector<std::int64_t> rest;
    for (std::int64_t j = 0; j < others.size(); ++j)
      if (others[j] != anchors[i]) rest.push_back(j);
    if (positives.empty() || rest.empty()) continue;
    RandomSequence draws(random.split(static_cast<std::uint64_t>(i)));
    const std::int64_t wanted = k > 0 ? k : static_cast<std::int64_t>(own->second.size());
    for (std::int64_t t = 0; t < wanted; ++t) {
      a.push_back(i);
      p.push_back(positives[draws.below(positives.size())]);
      negatives.push_back(rest[draws.below(rest.size())]);
    }
  }
  return triplets_from_lists(device, anchors.size(), others.size(), a, p, negatives);
}

Tensor pair_relation(Device& device, const Tuples& tuples, std::int64_t n, std::int64_t q) {
  if (tuples.form != Tuples::Form::triplets)
    DML_CHECK(tuples.relation.shape() == (Shape{n, q}),
              fmt::format("tuples: a relation {} for {} anchors and {} references",
                          to_string(tuples.relation.shape()), n, q));
  if (tuples.form == Tuples::Form::pairs) return tuples.relation;
  Tensor relation = device.empty({n, q}, DType::f32);
  if (tuples.form == Tuples::Form::product) {
    kernel::product_relation(device, tuples.relation, tuples.filter, relation);
  } else {
    kernel::list_relation(device, tuples, relation);
  }
  return relation;
}

Tensor sample_weights(Device& device, const Tuples* tuples, std::int64_t n, DType type,
                      bool anchors_only) {
  Tensor counts = device.zeros({n}, DType::f32);
  if (tuples != nullptr && tuples->form == Tuples::Form::triplets) {
    kernel::list_occurrences(device, *tuples, anchors_only, counts);
  } else if (tuples != nullptr) {
    const std::int64_t q = tuples->relation.dim(1);
    DML_CHECK(anchors_only || q == n,
              fmt::format("weights of {} samples from pairs with {} others: only anchors can be "
                          "counted with a reference set",
                          n, q));
    const Tensor relation = pair_relation(device, *tuples, n, q);
    kernel::relation_occurrences(device, relation, tuples->form == Tuples::Form::product,
                                 anchors_only, counts);
  }
  Tensor weights = device.empty({n}, type);
  kernel::relative_counts(device, counts, weights);
  return weights;
}

Tensor has_both_sides(Device& device, const Tensor& relation, DType type) {
  Tensor result = device.empty({}, type);
  kernel::both_sides(device, relation, result);
  return result;
}

}  // namespace dml
