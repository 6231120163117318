#include "dml/pairs/relation.hpp"
#include "dml/pairs/row_loss.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

void from_labels(Device& device, const Tensor& a, const Tensor& b, bool self, Tensor& relation) {
  const std::int64_t q = b.size();
  const std::int64_t *left = a.raw<std::int64_t>(), *right = b.raw<std::int64_t>();
  float* out = relation.raw<float>();
  cuda::for_each_cell(cuda::context_of(device), a.size(), q,
                      [=] __device__(std::int64_t i, std::int64_t j) {
                        const float sign = left[i] == right[j] ? 1.0F : -1.0F;
                        out[i * q + j] = self && i == j ? 0.0F : sign;
                      });
}

template <class T>
void split_product(cuda::Context& context, const Tensor& relation, const TripletFilter& filter,
                   Tensor& out) {
  const std::int64_t q = relation.dim(1);
  const float* in = relation.raw<float>();
  const FilterPointers<T> miner(filter);
  const TripletRange range = filter.range;
  float* to = out.raw<float>();
  cuda::for_each_cell(context, relation.dim(0), q, [=] __device__(std::int64_t i, std::int64_t j) {
    const float* from = in + i * q;
    Row<T> row{};
    miner.give(row, i, q);
    float count = 0;
    for (std::int64_t k = 0; k < q; ++k) {
      const bool partners = from[j] * from[k] < 0;
      if (!partners) continue;
      const std::int64_t p = from[j] > 0 ? j : k, n = from[j] > 0 ? k : j;
      if (row.keeps(p, n, range)) count += from[p] * -from[n];
    }
    to[i * q + j] = from[j] > 0 ? count : -count;
  });
}

void from_product(Device& device, const Tensor& relation, const TripletFilter& filter,
                  Tensor& out) {
  cuda::Context& context = cuda::context_of(device);
  if (filter.matrix.defined() && filter.matrix.dtype() == DType::f64) {
    split_product<double>(context, relation, filter, out);
  } else {
    split_product<float>(context, relation, filter, out);
  }
}

/// A list of triplets as pointers.
struct List {
  const std::int64_t *anchor, *positive, *negative, *count;
  std::int64_t most;

  explicit List(const Tuples& list)
      : anchor(list.anchor.raw<std::int64_t>()),
        positive(list.positive.raw<std::int64_t>()),
        negative(list.negative.raw<std::int64_t>()),
        count(list.count.defined() ? list.count.raw<std::int64_t>() : nullptr),
        most(list.anchor.size()) {}
  __device__ std::int64_t size() const {
    if (count == nullptr) return most;
    return *count < 0 ? 0 : *count < most ? *count : most;
  }
};

/// A thread for each cell reads the whole list: the order of additions is that of the list.
void from_list(Device& device, const Tuples& tuples, Tensor& out) {
  const List list(tuples);
  const std::int64_t q = out.dim(1);
  float* to = out.raw<float>();
  cuda::for_each_cell(cuda::context_of(device), out.dim(0), q,
                      [=] __device__(std::int64_t i, std::int64_t j) {
                        float count = 0;
                        for (std::int64_t t = 0; t < list.size(); ++t) {
                          if (list.anchor[t] != i) continue;
                          count += list.positive[t] == j ? 1.0F : 0.0F;
                          count -= list.negative[t] == j ? 1.0F : 0.0F;
                        }
                        to[i * q + j] = count;
                      });
}

void occurrences(Device& device, const Tensor& relation, bool triplets, bool anchors_only,
                 Tensor& out) {
  const std::int64_t n = relation.dim(0), q = relation.dim(1);
  const float* in = relation.raw<float>();
  float* to = out.raw<float>();
  cuda::for_each_row(cuda::context_of(device), n, n, [=] __device__(std::int64_t i) {
    double count = 0;
    for (std::int64_t j = threadIdx.x; j < q; j += blockDim.x)
      if (const float r = in[i * q + j]; r > 0 || !triplets) count += static_cast<double>(abs(r));
    for (std::int64_t k = threadIdx.x; !anchors_only && k < n; k += blockDim.x)
      count += static_cast<double>(abs(in[k * q + i]));
    count = cuda::block_sum(count);
    if (threadIdx.x == 0) to[i] = static_cast<float>(count);
  });
}

void occurrences_in_list(Device& device, const Tuples& tuples, bool anchors_only, Tensor& out) {
  const List list(tuples);
  float* to = out.raw<float>();
  cuda::for_each(cuda::context_of(device), out.size(), [=] __device__(std::int64_t i) {
    float count = 0;
    for (std::int64_t t = 0; t < list.size(); ++t) {
      count += list.anchor[t] == i ? 1.0F : 0.0F;
      if (anchors_only) continue;
      count += list.positive[t] == i ? 1.0F : 0.0F;
      count += list.negative[t] == i ? 1.0F : 0.0F;
    }
    to[i] = count;
  });
}

template <class T> void divide(cuda::Context& context, const Tensor& counts, Tensor& weights) {
  const std::int64_t n = counts.size();
  const float* in = counts.raw<float>();
  T* out = weights.raw<T>();
  cuda::for_each_row(context, 1, n, [=] __device__(std::int64_t) {
    float most = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) most = in[i] > most ? in[i] : most;
    most = cuda::block_max(most);
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
      out[i] = most > 0 ? static_cast<T>(in[i]) / static_cast<T>(most) : T(1);
  });
}

void relative(Device& device, const Tensor& counts, Tensor& weights) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(weights.dtype(), [&]<class T>() { divide<T>(context, counts, weights); });
}

/// The smallest and the largest entry.
struct Ends {
  float low, high;
  static __device__ Ends none() { return {0, 0}; }
  __device__ void merge(const Ends& other) {
    low = other.low < low ? other.low : low;
    high = other.high > high ? other.high : high;
  }
};

template <class T> void look(cuda::Context& context, const Tensor& relation, Tensor& out) {
  const float* in = relation.raw<float>();
  T* to = out.raw<T>();
  cuda::reduce_all<Ends>(
      context, relation.size(),
      [=] __device__(Ends & ends, std::int64_t i) {
        ends.merge({in[i], in[i]});
      },
      [=] __device__(const Ends& ends) { *to = ends.low < 0 && ends.high > 0 ? T(1) : T(0); });
}

void look_at_both(Device& device, const Tensor& relation, Tensor& out) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(out.dtype(), [&]<class T>() { look<T>(context, relation, out); });
}

const bool relation_added = kernel::label_relation.add(Backend::cuda, from_labels) &&
                            kernel::product_relation.add(Backend::cuda, from_product) &&
                            kernel::list_relation.add(Backend::cuda, from_list) &&
                            kernel::relation_occurrences.add(Backend::cuda, occurrences) &&
                            kernel::list_occurrences.add(Backend::cuda, occurrences_in_list) &&
                            kernel::relative_counts.add(Backend::cuda, relative) &&
                            kernel::both_sides.add(Backend::cuda, look_at_both);

}  // namespace
}  // namespace dml
