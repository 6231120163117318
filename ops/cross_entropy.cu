#include <limits>

#include "ops/cross_entropy.hpp"
#include "ops/softmax.cuh"

namespace dml {
namespace {

// Labels are on the device, where an exception cannot be thrown: the row of a label outside the
// classes costs NaN, which the guard against NaN reports. It is never used as an address.

template <class T>
void costs(cuda::Context& context, const Tensor& x, const Tensor& labels, const Tensor& w,
           const CrossEntropyRow& row, std::int64_t ignore, Tensor& cost, Tensor& weight) {
  const T *logits = x.raw<T>(), *weights = w.defined() ? w.raw<T>() : nullptr;
  const std::int64_t* label = labels.raw<std::int64_t>();
  T *to = cost.raw<T>(), *counts = weight.raw<T>();
  const std::int64_t classes = row.classes;
  const double smoothing = row.label_smoothing;
  const T scale = static_cast<T>(row.scale);
  const T invalid = std::numeric_limits<T>::quiet_NaN();
  cuda::for_each_row(context, x.dim(0), classes, [=] __device__(std::int64_t r) {
    const T* in = logits + r * classes;
    const std::int64_t own = label[r];
    const bool known = own >= 0 && own < classes;
    if (own == ignore || !known) {
      if (threadIdx.x == 0) {
        to[r] = own == ignore ? T(0) : invalid;
        counts[r] = own == ignore ? T(0) : invalid;
      }
      return;
    }
    const LogSumParts<T> total = cuda::block_log_sum(in, classes, scale);
    T spread = 0;
    if (smoothing > 0)
      for (std::int64_t k = threadIdx.x; k < classes; k += blockDim.x)
        spread += (weights == nullptr ? T(1) : weights[k]) * total.cost(in[k], scale);
    spread = cuda::block_sum(spread);
    if (threadIdx.x != 0) return;
    const T own_weight = weights == nullptr ? T(1) : weights[own];
    T value = static_cast<T>(1 - smoothing) * own_weight * total.cost(in[own], scale);
    if (smoothing > 0) value += static_cast<T>(smoothing / static_cast<double>(classes)) * spread;
    to[r] = value;
    counts[r] = own_weight;
  });
}

template <class T>
void slopes(cuda::Context& context, const Tensor& x, const Tensor& labels, const Tensor& w,
            const CrossEntropyRow& row, std::int64_t ignore, const Tensor& up, Tensor& dx) {
  const T *logits = x.raw<T>(), *weights = w.defined() ? w.raw<T>() : nullptr;
  const T* upstream = up.raw<T>();
  const std::int64_t* label = labels.raw<std::int64_t>();
  T* to = dx.raw<T>();
  const std::int64_t classes = row.classes;
  const double smoothing = row.label_smoothing;
  const T scale = static_cast<T>(row.scale);
  const T share = static_cast<T>(smoothing / static_cast<double>(classes));
  const T invalid = std::numeric_limits<T>::quiet_NaN();
  cuda::for_each_row(context, x.dim(0), classes, [=] __device__(std::int64_t r) {
    const std::int64_t own = label[r];
    const bool known = own >= 0 && own < classes;
    T* out = to + r * classes;
    if (own == ignore || !known) {
      for (std::int64_t k = threadIdx.x; k < classes; k += blockDim.x)
        out[k] = own == ignore ? T(0) : invalid;
      return;
    }
    const T own_share = static_cast<T>(1 - smoothing) * (weights == nullptr ? T(1) : weights[own]);
    T total = 0;
    if (smoothing > 0)
      for (std::int64_t k = threadIdx.x; k < classes; k += blockDim.x)
        total += share * (weights == nullptr ? T(1) : weights[k]);
    total = own_share + cuda::block_sum(total);
    const T* in = logits + r * classes;
    const T top = cuda::block_largest(in, classes);
    T sum = 0;
    for (std::int64_t k = threadIdx.x; k < classes; k += blockDim.x)
      sum += std::exp((in[k] - top) * scale);
    sum = cuda::block_sum(sum);
    for (std::int64_t k = threadIdx.x; k < classes; k += blockDim.x) {
      T target = smoothing > 0 ? share * (weights == nullptr ? T(1) : weights[k]) : T(0);
      if (k == own) target += own_share;
      out[k] = upstream[r] * scale * (total * (std::exp((in[k] - top) * scale) / sum) - target);
    }
  });
}

void forward(Device& device, const Tensor& x, const Tensor& labels, const Tensor& w,
             const CrossEntropyRow& row, std::int64_t ignore, Tensor& cost, Tensor& weight) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(),
              [&]<class T>() { costs<T>(context, x, labels, w, row, ignore, cost, weight); });
}

void backward(Device& device, const Tensor& x, const Tensor& labels, const Tensor& w,
              const CrossEntropyRow& row, std::int64_t ignore, const Tensor& up, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { slopes<T>(context, x, labels, w, row, ignore, up, dx); });
}

const bool cross_entropy_added = kernel::cross_entropy_fwd.add(Backend::cuda, forward) &&
                                 kernel::cross_entropy_bwd.add(Backend::cuda, backward);

}  // namespace
}  // namespace dml
