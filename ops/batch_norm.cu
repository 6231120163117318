#include "engine/cuda/reduce.cuh"
#include "ops/batch_norm.hpp"

namespace dml {
namespace {

template <class T> const T* raw_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.raw<T>() : nullptr;
}

/// y = relu((x - mean) scale weight + bias + add) for the rows of one channel.
template <class E> struct ApplyColumn {
  using T = Work<E>;
  const E *x, *add;
  E* y;
  std::int64_t x_pitch, add_pitch, y_pitch;
  T mean, scale, weight, bias;
  bool relu;

  __device__ void operator()(std::int64_t r) const {
    T value = (static_cast<T>(x[r * x_pitch]) - mean) * scale * weight + bias;
    if (add != nullptr) value += static_cast<T>(add[r * add_pitch]);
    y[r * y_pitch] = static_cast<E>(relu && value < T(0) ? T(0) : value);
  }
};

/// @param rest  [c] what the means have lost by rounding, or null
template <class E>
void apply_to(cuda::Context& context, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Tensor& add, const Tensor& mean, const Work<E>* rest, const Tensor& inv_std,
              bool relu, Tensor& y) {
  using T = Work<E>;
  const E *from = x.raw<E>(), *more = raw_or_null<E>(add);
  const T *center = mean.raw<T>(), *scale = inv_std.raw<T>();
  const T *factor = raw_or_null<T>(weight), *shift = raw_or_null<T>(bias);
  E* to = y.raw<E>();
  const std::int64_t from_pitch = x.pitch(), to_pitch = y.pitch();
  const std::int64_t more_pitch = add.defined() ? add.pitch() : 0;
  cuda::for_each_column(context, x.row_count(), x.row_length(),
                        [=] __device__(std::int64_t c) -> ApplyColumn<E> {
                          const T gain = factor == nullptr ? T(1) : factor[c];
                          const T base = shift == nullptr ? T(0) : shift[c];
                          const T lost = rest == nullptr ? T(0) : rest[c] * scale[c] * gain;
                          return {from + c,   more == nullptr ? nullptr : more + c,
                                  to + c,     from_pitch,
                                  more_pitch, to_pitch,
                                  center[c],  scale[c],
                                  gain,       base - lost,
                                  relu};
                        });
}

template <class E>
void statistics(cuda::Context& context, const Tensor& x, const BatchNormOptions& options,
                RunningStatistics& running, Tensor& mean, Work<E>* rest, Tensor& inv_std) {
  using T = Work<E>;
  const E* from = x.raw<E>();
  T *means = mean.raw<T>(), *scales = inv_std.raw<T>();
  T* running_mean = running.mean.defined() ? running.mean.raw<T>() : nullptr;
  T* running_variance = running.variance.defined() ? running.variance.raw<T>() : nullptr;
  std::int64_t* batches = running.batches.defined() ? running.batches.raw<std::int64_t>() : nullptr;
  const std::int64_t pitch = x.pitch(), rows = x.row_count();
  const T eps = static_cast<T>(options.eps);
  const T keep = static_cast<T>(1 - options.momentum), take = static_cast<T>(options.momentum);
  cuda::reduce_columns<cuda::Moments<T>>(
      context, rows, x.row_length(),
      [=] __device__(cuda::Moments<T> & part, std::int64_t r, std::int64_t c) {
        part.add(static_cast<T>(from[r * pitch + c]));
      },
      [=] __device__(const cuda::Moments<T>& total, std::int64_t c) {
        const T average = total.mean(), deviations = total.deviations();
        means[c] = average;
        rest[c] = total.rest();
        scales[c] = T(1) / std::sqrt(deviations / static_cast<T>(rows) + eps);
        if (running_mean != nullptr) running_mean[c] = keep * running_mean[c] + take * average;
        if (running_variance != nullptr)
          running_variance[c] =
              keep * running_variance[c] + take * (deviations / static_cast<T>(rows - 1));
        if (c == 0 && batches != nullptr) ++*batches;
      });
}

/// The two sums of the backward pass over the rows of a channel.
template <class T> struct Pulls {
  T sum, along;
  static __device__ Pulls none() { return {T(0), T(0)}; }
  __device__ void merge(const Pulls& other) {
    sum += other.sum;
    along += other.along;
  }
};

/// What the backward pass reads: pointers are null for what there is not.
template <class E> struct Upstream {
  using T = Work<E>;
  const E *x, *y, *dy;
  const T *mean, *scale;
  std::int64_t x_pitch, y_pitch, dy_pitch;

  /// The gradient behind the ReLU.
  __device__ T gradient(std::int64_t r, std::int64_t c) const {
    const bool cut = y != nullptr && !(static_cast<T>(y[r * y_pitch + c]) > T(0));
    return cut ? T(0) : static_cast<T>(dy[r * dy_pitch + c]);
  }
  __device__ T normalised(std::int64_t r, std::int64_t c) const {
    return (static_cast<T>(x[r * x_pitch + c]) - mean[c]) * scale[c];
  }
};

template <class E>
void pull_sums(cuda::Context& context, const Upstream<E>& up, std::int64_t rows,
               std::int64_t channels, Pulls<Work<E>>* sums, Tensor& dweight, Tensor& dbias) {
  using T = Work<E>;
  T* to_weight = dweight.defined() ? dweight.raw<T>() : nullptr;
  T* to_bias = dbias.defined() ? dbias.raw<T>() : nullptr;
  cuda::reduce_columns<Pulls<T>>(
      context, rows, channels,
      [=] __device__(Pulls<T> & part, std::int64_t r, std::int64_t c) {
        const T g = up.gradient(r, c);
        part.sum += g;
        part.along += g * up.normalised(r, c);
      },
      [=] __device__(const Pulls<T>& total, std::int64_t c) {
        sums[c] = total;
        if (to_weight != nullptr) to_weight[c] = total.along;
        if (to_bias != nullptr) to_bias[c] = total.sum;
      });
}

/// dx and dadd for the rows of one channel. They may lie where x and dy do: a thread reads its
/// element before it writes it.
template <class E> struct PullColumn {
  using T = Work<E>;
  Upstream<E> up;
  E *dx, *dadd;
  std::int64_t c, dx_pitch, dadd_pitch;
  T factor, sum, along;  // sum and along divided by the number of rows

  __device__ void operator()(std::int64_t r) const {
    const T g = up.gradient(r, c);
    const T pulled = dx == nullptr ? T(0) : factor * (g - (sum + up.normalised(r, c) * along));
    if (dadd != nullptr) dadd[r * dadd_pitch + c] = static_cast<E>(g);
    if (dx != nullptr) dx[r * dx_pitch + c] = static_cast<E>(pulled);
  }
};

template <class E>
void pull(cuda::Context& context, const Upstream<E>& up, const Tensor& weight,
          const BatchNormOptions& options, std::int64_t rows, std::int64_t channels, Tensor& dx,
          Tensor& dadd, Tensor& dweight, Tensor& dbias) {
  using T = Work<E>;
  const cuda::Temporary memory(context, static_cast<std::size_t>(channels) * sizeof(Pulls<T>));
  Pulls<T>* const sums = memory.as<Pulls<T>>();
  const bool from_batch = options.batch_statistics;
  if (from_batch || dweight.defined() || dbias.defined())
    pull_sums(context, up, rows, channels, sums, dweight, dbias);
  if (!dx.defined() && !dadd.defined()) return;
  const T* weights = raw_or_null<T>(weight);
  E* to = dx.defined() ? dx.raw<E>() : nullptr;
  E* more = dadd.defined() ? dadd.raw<E>() : nullptr;
  const std::int64_t to_pitch = dx.defined() ? dx.pitch() : 0;
  const std::int64_t more_pitch = dadd.defined() ? dadd.pitch() : 0;
  cuda::for_each_column(context, rows, channels, [=] __device__(std::int64_t c) -> PullColumn<E> {
    const T share = from_batch ? T(1) / static_cast<T>(rows) : T(0);
    return {up,
            to,
            more,
            c,
            to_pitch,
            more_pitch,
            (weights == nullptr ? T(1) : weights[c]) * up.scale[c],
            from_batch ? sums[c].sum * share : T(0),
            from_batch ? sums[c].along * share : T(0)};
  });
}

void train(Device& device, const Tensor& x, const Tensor& weight, const Tensor& bias,
           const Tensor& add, const BatchNormOptions& options, RunningStatistics& running,
           Tensor& mean, Tensor& inv_std, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(x.dtype(), [&]<class E>() {
    using T = Work<E>;
    const cuda::Temporary memory(context, static_cast<std::size_t>(x.row_length()) * sizeof(T));
    T* const rest = memory.as<T>();
    statistics<E>(context, x, options, running, mean, rest, inv_std);
    apply_to<E>(context, x, weight, bias, add, mean, rest, inv_std, options.relu, y);
  });
}

void apply_given(Device& device, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const Tensor& add, const Tensor& mean, const Tensor& inv_std, bool relu,
                 Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(x.dtype(), [&]<class E>() {
    apply_to<E>(context, x, weight, bias, add, mean, nullptr, inv_std, relu, y);
  });
}

template <class T>
void invert(cuda::Context& context, const Tensor& variance, double eps, Tensor& inv_std) {
  const T* from = variance.raw<T>();
  T* to = inv_std.raw<T>();
  const T floor = static_cast<T>(eps);
  cuda::for_each(context, variance.size(),
                 [=] __device__(std::int64_t c) { to[c] = T(1) / std::sqrt(from[c] + floor); });
}

void inverse(Device& device, const Tensor& variance, double eps, Tensor& inv_std) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(variance.dtype(), [&]<class T>() { invert<T>(context, variance, eps, inv_std); });
}

void backward(Device& device, const Tensor& x, const Tensor& y, const Tensor& weight,
              const Tensor& mean, const Tensor& inv_std, const BatchNormOptions& options,
              const Tensor& dy, Tensor& dx, Tensor& dadd, Tensor& dweight, Tensor& dbias) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(x.dtype(), [&]<class E>() {
    const Upstream<E> up{x.raw<E>(),
                         options.relu ? y.raw<E>() : nullptr,
                         dy.raw<E>(),
                         mean.raw<Work<E>>(),
                         inv_std.raw<Work<E>>(),
                         x.pitch(),
                         options.relu ? y.pitch() : 0,
                         dy.pitch()};
    pull<E>(context, up, weight, options, x.row_count(), x.row_length(), dx, dadd, dweight, dbias);
  });
}

const bool batch_norm_added = kernel::batch_norm_train.add(Backend::cuda, train) &&
                              kernel::batch_norm_apply.add(Backend::cuda, apply_given) &&
                              kernel::inverse_deviation.add(Backend::cuda, inverse) &&
                              kernel::batch_norm_bwd.add(Backend::cuda, backward) &&
                              kernel::batch_norm_train.takes_bf16(Backend::cuda) &&
                              kernel::batch_norm_apply.takes_bf16(Backend::cuda) &&
                              kernel::batch_norm_bwd.takes_bf16(Backend::cuda);

}  // namespace
}  // namespace dml
