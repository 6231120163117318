#include <cmath>
#include <vector>

#include "ops/batch_norm.hpp"

namespace dml {
namespace {

/// An element of a channel vector, or what stands for it when the vector is undefined.
template <class T> double element(const Tensor& vector, std::int64_t i, double otherwise) {
  return vector.defined() ? static_cast<double>(vector.raw<T>()[i]) : otherwise;
}

template <class T> double at(const Tensor& x, std::int64_t row, std::int64_t channel) {
  return static_cast<double>(x.raw<T>()[row * x.pitch() + channel]);
}

template <class T>
void apply_to(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& add,
              const Tensor& mean, const Tensor& inv_std, bool relu, Tensor& y) {
  const std::int64_t channels = x.row_length();
  for (std::int64_t r = 0; r < x.row_count(); ++r)
    for (std::int64_t c = 0; c < channels; ++c) {
      const double z = (at<T>(x, r, c) - element<T>(mean, c, 0)) * element<T>(inv_std, c, 1);
      double value = z * element<T>(weight, c, 1) + element<T>(bias, c, 0);
      if (add.defined()) value += at<T>(add, r, c);
      if (relu && value < 0) value = 0;
      y.raw<T>()[r * y.pitch() + c] = static_cast<T>(value);
    }
}

/// Moves one running statistic towards that of the batch.
template <class T> void move(Tensor& running, std::int64_t c, double momentum, double batch) {
  if (!running.defined()) return;
  T& value = running.raw<T>()[c];
  value = static_cast<T>((1 - momentum) * static_cast<double>(value) + momentum * batch);
}

template <class T>
void statistics(const Tensor& x, const BatchNormOptions& options, RunningStatistics& running,
                Tensor& mean, Tensor& inv_std) {
  const auto channels = static_cast<std::size_t>(x.row_length());
  const std::int64_t rows = x.row_count();
  std::vector<double> sum(channels), squares(channels);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < channels; ++c) sum[c] += at<T>(x, r, static_cast<std::int64_t>(c));
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < channels; ++c) {
      const double d =
          at<T>(x, r, static_cast<std::int64_t>(c)) - sum[c] / static_cast<double>(rows);
      squares[c] += d * d;
    }
  for (std::size_t i = 0; i < channels; ++i) {
    const auto c = static_cast<std::int64_t>(i);
    const double average = sum[i] / static_cast<double>(rows);
    mean.raw<T>()[c] = static_cast<T>(average);
    inv_std.raw<T>()[c] =
        static_cast<T>(1 / std::sqrt(squares[i] / static_cast<double>(rows) + options.eps));
    move<T>(running.mean, c, options.momentum, average);
    move<T>(running.variance, c, options.momentum, squares[i] / static_cast<double>(rows - 1));
  }
  if (running.batches.defined()) ++*running.batches.raw<std::int64_t>();
}

template <class T>
void backward_of(const Tensor& x, const Tensor& y, const Tensor& weight, const Tensor& mean,
                 const Tensor& inv_std, const BatchNormOptions& options, const Tensor& dy,
                 Tensor& dx, Tensor& dadd, Tensor& dweight, Tensor& dbias) {
  const std::int64_t channels = x.row_length(), rows = x.row_count();
  for (std::int64_t c = 0; c < channels; ++c) {
    const double center = element<T>(mean, c, 0), scale = element<T>(inv_std, c, 1);
    const auto normalised = [&](std::int64_t r) { return (at<T>(x, r, c) - center) * scale; };
    const auto upstream = [&](std::int64_t r) {
      return options.relu && !(at<T>(y, r, c) > 0) ? 0.0 : at<T>(dy, r, c);
    };
    double sum = 0, along = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      sum += upstream(r);
      along += upstream(r) * normalised(r);
    }
    if (dweight.defined()) dweight.raw<T>()[c] = static_cast<T>(along);
    if (dbias.defined()) dbias.raw<T>()[c] = static_cast<T>(sum);
    const double share = options.batch_statistics ? 1 / static_cast<double>(rows) : 0.0;
    const double factor = element<T>(weight, c, 1) * scale;
    for (std::int64_t r = 0; r < rows; ++r) {
      // dx may be x or dy, and dadd may be dy: all is read before anything is written.
      const double g = upstream(r), z = normalised(r);
      if (dadd.defined()) dadd.raw<T>()[r * dadd.pitch() + c] = static_cast<T>(g);
      if (dx.defined())
        dx.raw<T>()[r * dx.pitch() + c] = static_cast<T>(factor * (g - share * (sum + z * along)));
    }
  }
}

void train(Device&, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& add,
           const BatchNormOptions& options, RunningStatistics& running, Tensor& mean,
           Tensor& inv_std, Tensor& y) {
  visit_float(x.dtype(), [&]<class T>() {
    statistics<T>(x, options, running, mean, inv_std);
    apply_to<T>(x, weight, bias, add, mean, inv_std, options.relu, y);
  });
}
void apply_given(Device&, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const Tensor& add, const Tensor& mean, const Tensor& inv_std, bool relu,
                 Tensor& y) {
  visit_float(x.dtype(),
              [&]<class T>() { apply_to<T>(x, weight, bias, add, mean, inv_std, relu, y); });
}
void inverse(Device&, const Tensor& variance, double eps, Tensor& inv_std) {
  visit_float(variance.dtype(), [&]<class T>() {
    for (std::int64_t c = 0; c < variance.size(); ++c)
      inv_std.raw<T>()[c] = static_cast<T>(1 / std::sqrt(element<T>(variance, c, 0) + eps));
  });
}
void backward(Device&, const Tensor& x, const Tensor& y, const Tensor& weight, const Tensor& mean,
              const Tensor& inv_std, const BatchNormOptions& options, const Tensor& dy, Tensor& dx,
              Tensor& dadd, Tensor& dweight, Tensor& dbias) {
  visit_float(x.dtype(), [&]<class T>() {
    backward_of<T>(x, y, weight, mean, inv_std, options, dy, dx, dadd, dweight, dbias);
  });
}

const bool batch_norm_reference_added =
    kernel::batch_norm_train.add(Backend::reference, train) &&
    kernel::batch_norm_apply.add(Backend::reference, apply_given) &&
    kernel::inverse_deviation.add(Backend::reference, inverse) &&
    kernel::inverse_deviation.add(Backend::cpu, inverse) &&  // one number a channel
    kernel::batch_norm_bwd.add(Backend::reference, backward);

}  // namespace
}  // namespace dml
