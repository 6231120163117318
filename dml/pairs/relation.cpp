#include "dml/pairs/relation.hpp"

#include <algorithm>
#include <cmath>

#include "dml/pairs/row_loss.hpp"
#include "engine/cpu/parallel.hpp"

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
void split_product(const Tensor& relation, const TripletFilter& filter, Tensor& out) {
  const std::int64_t n = relation.dim(0), q = relation.dim(1);
  const FilterPointers<T> miner(filter);
  for (std::int64_t i = 0; i < n; ++i) {
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

void from_product(Device&, const Tensor& relation, const TripletFilter& filter, Tensor& out) {
  if (filter.matrix.defined() && filter.matrix.dtype() == DType::f64) {
    split_product<double>(relation, filter, out);
  } else {
    split_product<float>(relation, filter, out);
  }
}

std::int64_t relation_length(const Tuples& list) {
  const std::int64_t most = list.anchor.size();
  return list.count.defined() ? std::clamp<std::int64_t>(*list.count.raw<std::int64_t>(), 0, most)
                              : most;
}

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

void occurrences(Device&, const Tensor& relation, bool triplets, bool anchors_only, Tensor& out) {
  const std::int64_t n = relation.dim(0), q = relation.dim(1);
  float* to = out.raw<float>();
  std::fill_n(to, n, 0.0F);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < q; ++j) {
      const float r = relation.raw<float>()[i * q + j];
      if (r > 0 || !triplets) to[i] += std::abs(r);
      if (!anchors_only) to[j] += std::abs(r);
    }
}

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

void relative(Device&, const Tensor& counts, Tensor& weights) {
  const float* in = counts.raw<float>();
  float most = 0;
  for (std::int64_t i = 0; i < counts.size(); ++i) most = std::max(most, in[i]);
  visit_float(weights.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < counts.size(); ++i)
      weights.raw<T>()[i] = most > 0 ? static_cast<T>(in[i]) / static_cast<T>(most) : T(1);
  });
}

void look_at_both(Device&, const Tensor& relation, Tensor& out) {
  float low = 0, high = 0;
  const float* r = relation.raw<float>();
#pragma omp simd reduction(min : low) reduction(max : high)
  for (std::int64_t i = 0; i < relation.size(); ++i) {
    low = std::min(low, r[i]);
    high = std::max(high, r[i]);
  }
  visit_float(out.dtype(), [&]<class T>() { *out.raw<T>() = low < 0 && high > 0 ? T(1) : T(0); });
}

const bool relation_added = kernel::label_relation.add(Backend::reference, from_labels) &&
                            kernel::product_relation.add(Backend::reference, from_product) &&
                            kernel::list_relation.add(Backend::reference, from_list) &&
                            kernel::relation_occurrences.add(Backend::reference, occurrences) &&
                            kernel::list_occurrences.add(Backend::reference, occurrences_in_list) &&
                            kernel::relative_counts.add(Backend::reference, relative) &&
                            kernel::both_sides.add(Backend::reference, look_at_both);

}  // namespace
}  // namespace dml
