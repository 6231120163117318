#include "dml/pairs/relation.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "dml/pairs/row_loss.hpp"
#include "engine/cpu/parallel.hpp"
#include "ops/lines.hpp"

namespace dml {
namespace {

void from_labels(Device& device, const Tensor& a, const Tensor& b, bool self, Tensor& relation) {
  const std::int64_t q = b.size();
  const std::int64_t *left = a.raw<std::int64_t>(), *right = b.raw<std::int64_t>();
  cpu::parallel_for(device.threads(), a.size(), 1 + (1 << 14) / (1 + q),
                    [&](std::int64_t first, std::int64_t last) {
                      for (std::int64_t i = first; i < last; ++i) {
                        float* row = relation.raw<float>() + i * q;
                        const std::int64_t own = left[i];
                        for (std::int64_t j = 0; j < q; ++j)
                          row[j] = own == right[j] ? 1.0F : -1.0F;
                        if (self) row[i] = 0;
                      }
                    });
}

template <class T>
void split_product(const Tensor& relation, const TripletFilter& filter, Tensor& out,
                   std::int64_t first, std::int64_t last) {
  const std::int64_t q = relation.dim(1);
  const FilterPointers<T> miner(filter);
  for (std::int64_t i = first; i < last; ++i) {
    const float* from = relation.raw<float>() + i * q;
    float* to = out.raw<float>() + i * q;
    Row<T> row{};
    miner.give(row, i, q);
    std::fill_n(to, q, 0.0F);
    for (std::int64_t p = 0; p < q; ++p) {
      if (!(from[p] > 0)) continue;
      for (std::int64_t k = 0; k < q; ++k) {
        if (!(from[k] < 0) || !row.keeps(p, k, filter.range)) continue;
        to[p] += from[p] * -from[k];
        to[k] -= from[p] * -from[k];
      }
    }
  }
}

void from_product(Device& device, const Tensor& relation, const TripletFilter& filter,
                  Tensor& out) {
  const bool wide = filter.matrix.defined() && filter.matrix.dtype() == DType::f64;
  const std::int64_t work = 4 * relation.dim(1);  // read once for each positive: a few
  all_lines(device, wide ? DType::f64 : DType::f32, relation.dim(0), work,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              split_product<T>(relation, filter, out, first, last);
            });
}

std::int64_t relation_length(const Tuples& list) {
  const std::int64_t most = list.anchor.size();
  return list.count.defined() ? std::clamp<std::int64_t>(*list.count.raw<std::int64_t>(), 0, most)
                              : most;
}

/// Serial: the triplets of a row stand anywhere in the list.
void from_list(Device&, const Tuples& list, Tensor& out) {
  const std::int64_t q = out.dim(1), length = relation_length(list);
  float* to = out.raw<float>();
  std::fill_n(to, out.size(), 0.0F);
  for (std::int64_t t = 0; t < length; ++t) {
    const std::int64_t row = list.anchor.raw<std::int64_t>()[t] * q;
    to[row + list.positive.raw<std::int64_t>()[t]] += 1;
    to[row + list.negative.raw<std::int64_t>()[t]] -= 1;
  }
}

/// The occurrences of samples [first, last): their rows and, unless anchors_only, their columns of
/// the relation, which is square then. Every sum is in the order of rows, however they are split.
void count_samples(const Tensor& relation, bool triplets, bool anchors_only, Tensor& out,
                   std::int64_t first, std::int64_t last) {
  const std::int64_t n = relation.dim(0), q = relation.dim(1);
  float* to = out.raw<float>();
  std::fill(to + first, to + last, 0.0F);
  for (std::int64_t i = anchors_only ? first : 0; i < (anchors_only ? last : n); ++i) {
    const float* row = relation.raw<float>() + i * q;
    const bool own = i >= first && i < last;
    for (std::int64_t j = own ? 0 : first; j < (own ? q : last); ++j) {
      if (own && (row[j] > 0 || !triplets)) to[i] += std::abs(row[j]);
      if (!anchors_only && j >= first && j < last) to[j] += std::abs(row[j]);
    }
  }
}

void occurrences(Device& device, const Tensor& relation, bool triplets, bool anchors_only,
                 Tensor& out) {
  const std::int64_t n = relation.dim(0), work = relation.dim(1) + (anchors_only ? 0 : n);
  all_lines(device, DType::f32, n, work, [&]<class>(std::int64_t first, std::int64_t last) {
    count_samples(relation, triplets, anchors_only, out, first, last);
  });
}

/// Serial: the triplets of a sample stand anywhere in the list.
void occurrences_in_list(Device&, const Tuples& list, bool anchors_only, Tensor& out) {
  float* to = out.raw<float>();
  std::fill_n(to, out.size(), 0.0F);
  for (std::int64_t t = 0, length = relation_length(list); t < length; ++t) {
    to[list.anchor.raw<std::int64_t>()[t]] += 1;
    if (anchors_only) continue;
    to[list.positive.raw<std::int64_t>()[t]] += 1;
    to[list.negative.raw<std::int64_t>()[t]] += 1;
  }
}

/// Serial: one number for each sample of a batch, and the largest of all.
void relative(Device&, const Tensor& counts, Tensor& weights) {
  const float* in = counts.raw<float>();
  float most = 0;
  for (std::int64_t i = 0; i < counts.size(); ++i) most = std::max(most, in[i]);
  visit_float(weights.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < counts.size(); ++i)
      weights.raw<T>()[i] = most > 0 ? static_cast<T>(in[i]) / static_cast<T>(most) : T(1);
  });
}

void look_at_both(Device& device, const Tensor& relation, Tensor& out) {
  std::atomic<bool> negative = false, positive = false;  // of any part
  const float* r = relation.raw<float>();
  all_lines(device, DType::f32, relation.size(), 1,
            [&]<class>(std::int64_t first, std::int64_t last) {
              float low = 0, high = 0;
#pragma omp simd reduction(min : low) reduction(max : high)
              for (std::int64_t i = first; i < last; ++i) {
                low = std::min(low, r[i]);
                high = std::max(high, r[i]);
              }
              if (low < 0) negative = true;
              if (high > 0) positive = true;
            });
  visit_float(out.dtype(), [&]<class T>() { *out.raw<T>() = negative && positive ? T(1) : T(0); });
}

const bool relation_added = kernel::label_relation.add(Backend::reference, from_labels) &&
                            kernel::label_relation.add(Backend::cpu, from_labels) &&
                            kernel::product_relation.add(Backend::reference, from_product) &&
                            kernel::product_relation.add(Backend::cpu, from_product) &&
                            kernel::list_relation.add(Backend::reference, from_list) &&
                            kernel::list_relation.add(Backend::cpu, from_list) &&
                            kernel::relation_occurrences.add(Backend::reference, occurrences) &&
                            kernel::relation_occurrences.add(Backend::cpu, occurrences) &&
                            kernel::list_occurrences.add(Backend::reference, occurrences_in_list) &&
                            kernel::list_occurrences.add(Backend::cpu, occurrences_in_list) &&
                            kernel::relative_counts.add(Backend::reference, relative) &&
                            kernel::relative_counts.add(Backend::cpu, relative) &&
                            kernel::both_sides.add(Backend::reference, look_at_both) &&
                            kernel::both_sides.add(Backend::cpu, look_at_both);

}  // namespace
}  // namespace dml
