#include "dml/reducers/items.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

/// The inputs of sum_items as pointers.
template <class T> struct ItemList {
  const T *values, *weights;
  const std::int64_t* anchors;
  double low, high;
  std::int64_t size;

  ItemList(const Tensor& v, const kernel::ListInputs& in)
      : values(v.raw<T>()),
        weights(in.weights.defined() ? in.weights.raw<T>() : nullptr),
        anchors(in.anchors.defined() ? in.anchors.raw<std::int64_t>() : nullptr),
        low(in.bounds.low),
        high(in.bounds.high),
        size(v.size()) {}
  /// How often item t counts.
  __device__ T weight(std::int64_t t) const {
    const double v = static_cast<double>(values[t]);
    if (!(v > low && v < high)) return T(0);
    return weights == nullptr ? T(1) : weights[t];
  }
  __device__ std::int64_t anchor(std::int64_t t) const {
    return anchors == nullptr ? t : anchors[t];
  }
};

/// A block for each anchor reads the whole list.
template <class T>
void sum_of_anchors(cuda::Context& context, const Tensor& values, const kernel::ListInputs& in,
                    Tensor& totals) {
  const ItemList<T> list(values, in);
  T* to = totals.raw<T>();
  double* counts = in.counts.raw<double>();
  cuda::for_each_row(context, totals.size(), list.size, [=] __device__(std::int64_t a) {
    double sum = 0, count = 0;
    for (std::int64_t t = threadIdx.x; t < list.size; t += blockDim.x) {
      if (list.anchor(t) != a) continue;
      const T weight = list.weight(t);
      if (weight == T(0)) continue;
      sum += static_cast<double>(weight) * static_cast<double>(list.values[t]);
      count += static_cast<double>(weight);
    }
    sum = cuda::block_sum(sum);
    count = cuda::block_sum(count);
    if (threadIdx.x != 0) return;
    to[a] = static_cast<T>(sum);
    counts[a] = count;
  });
}

template <class T>
void spread_to_items(cuda::Context& context, const Tensor& values, const kernel::ListInputs& in,
                     const Tensor& up, Tensor& dvalues) {
  const ItemList<T> list(values, in);
  const T* from = up.raw<T>();
  T* to = dvalues.raw<T>();
  cuda::for_each(context, list.size,
                 [=] __device__(std::int64_t t) { to[t] = list.weight(t) * from[list.anchor(t)]; });
}

template <class T>
void divide(cuda::Context& context, const Tensor& totals, const kernel::FractionInputs& in,
            Tensor& y, Tensor& factor) {
  const std::int64_t n = totals.size();
  const std::int64_t m = in.denominators.defined() ? in.denominators.size() : 0;
  const T* from = totals.raw<T>();
  const T* weights = in.weights.defined() ? in.weights.raw<T>() : nullptr;
  const double* denominators = m > 0 ? in.denominators.raw<double>() : nullptr;
  const bool plain = !in.denominators.defined();
  T *to = y.raw<T>(), *scale = factor.raw<T>();
  cuda::for_each_row(context, 1, n, [=] __device__(std::int64_t) {
    double above = 0, below = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
      above += static_cast<double>(from[i]) *
               (weights == nullptr ? 1.0 : static_cast<double>(weights[i]));
    for (std::int64_t i = threadIdx.x; i < m; i += blockDim.x) below += denominators[i];
    above = cuda::block_sum(above);
    below = plain ? 1.0 : cuda::block_sum(below);
    if (threadIdx.x != 0) return;
    *to = below == 0 ? T(0) : static_cast<T>(above / below);
    *scale = below == 0 ? T(0) : static_cast<T>(1 / below);
  });
}

template <class T>
void spread(cuda::Context& context, const Tensor& dy, const kernel::FractionInputs& in,
            const Tensor& factor, Tensor& dtotals) {
  const T *up = dy.raw<T>(), *scale = factor.raw<T>();
  const T* weights = in.weights.defined() ? in.weights.raw<T>() : nullptr;
  T* to = dtotals.raw<T>();
  cuda::for_each(context, dtotals.size(), [=] __device__(std::int64_t i) {
    to[i] = *up * *scale * (weights == nullptr ? T(1) : weights[i]);
  });
}

template <class T> void invert(cuda::Context& context, const Tensor& counts, Tensor& inverse) {
  const double* from = counts.raw<double>();
  T* to = inverse.raw<T>();
  cuda::for_each(context, inverse.size(), [=] __device__(std::int64_t i) {
    to[i] = from[i] == 0 ? T(0) : static_cast<T>(1 / from[i]);
  });
}

void sum_cuda(Device& device, const Tensor& values, const kernel::ListInputs& in, Tensor& totals) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(values.dtype(), [&]<class T>() { sum_of_anchors<T>(context, values, in, totals); });
}
void sum_bwd_cuda(Device& device, const Tensor& values, const kernel::ListInputs& in,
                  const Tensor& up, Tensor& dvalues) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(values.dtype(),
              [&]<class T>() { spread_to_items<T>(context, values, in, up, dvalues); });
}
void fraction_cuda(Device& device, const Tensor& totals, const kernel::FractionInputs& in,
                   Tensor& y, Tensor& factor) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(totals.dtype(), [&]<class T>() { divide<T>(context, totals, in, y, factor); });
}
void fraction_bwd_cuda(Device& device, const Tensor& dy, const kernel::FractionInputs& in,
                       const Tensor& factor, Tensor& dtotals) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(dy.dtype(), [&]<class T>() { spread<T>(context, dy, in, factor, dtotals); });
}
void invert_cuda(Device& device, const kernel::Counts& counts, Tensor& inverse) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(inverse.dtype(), [&]<class T>() { invert<T>(context, counts.of, inverse); });
}

const bool items_added = kernel::sum_items.add(Backend::cuda, sum_cuda) &&
                         kernel::sum_items_bwd.add(Backend::cuda, sum_bwd_cuda) &&
                         kernel::fraction_fwd.add(Backend::cuda, fraction_cuda) &&
                         kernel::fraction_bwd.add(Backend::cuda, fraction_bwd_cuda) &&
                         kernel::inverse_counts.add(Backend::cuda, invert_cuda);

}  // namespace
}  // namespace dml
