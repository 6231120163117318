#pragma once
#include <cmath>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/axis.hpp"

namespace dml {

/// exp(x / temperature) / sum of the same, along one axis; the maximum is taken off first, so large
/// values do not overflow. Entries of minus infinity get probability and gradient 0.
/// @param temperature  above 0.
/// @throws ShapeError when x has no such axis.
Var softmax(const Var& x, double temperature = 1, int axis = -1);

/// x / temperature - log(sum of exp(x / temperature)), along one axis.
Var log_softmax(const Var& x, double temperature = 1, int axis = -1);

/// log(sum of exp(x)) along one axis.   [a, n, b] -> [a, b], or [a, 1, b] with keep. A line of
/// minus infinities alone gives minus infinity and no gradient.
Var logsumexp(const Var& x, int axis = -1, bool keep = false);

/// log(sum exp(x * scale)) of a line, as top * scale + rest: differences to it are taken from the
/// largest element first, so that large numbers lose no digits.
template <class T> struct LogSumParts {
  T top, rest;

  DML_HOST_DEVICE T whole(T scale) const { return top * scale + rest; }
  /// The logarithm of an element's share of the sum.
  DML_HOST_DEVICE T log_share(T x, T scale) const { return (x - top) * scale - rest; }
  /// The same, negative: never below 0.
  DML_HOST_DEVICE T cost(T x, T scale) const { return (top - x) * scale + rest; }
};

/// The arithmetic of one line of n elements, `step` apart; the same on every backend.
struct SoftmaxLine {
  std::int64_t n, step;

  /// The largest element.
  template <class T> DML_HOST_DEVICE T largest(const T* x) const {
    T most = x[0];
    for (std::int64_t i = 1; i < n; ++i) most = x[i * step] > most ? x[i * step] : most;
    return most;
  }
  /// log(sum exp(x * scale))
  template <class T> DML_HOST_DEVICE LogSumParts<T> log_sum(const T* x, T scale) const {
    using std::exp, std::log;
    const T top = largest(x);
    if (top - top != T(0)) return {top, T(0)};  // an infinity (or NaN) is the whole sum
    T total = 0;
    for (std::int64_t i = 0; i < n; ++i) total += exp((x[i * step] - top) * scale);
    return {top, log(total)};
  }
  /// y = x * scale - log(sum exp(x * scale))
  template <class T> DML_HOST_DEVICE void log_softmax(const T* x, T scale, T* y) const {
    const LogSumParts<T> total = log_sum(x, scale);
    for (std::int64_t i = 0; i < n; ++i) y[i * step] = total.log_share(x[i * step], scale);
  }
  /// y = exp(x * scale) / sum
  template <class T> DML_HOST_DEVICE void softmax(const T* x, T scale, T* y) const {
    using std::exp;
    const T top = largest(x);
    T total = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      y[i * step] = exp((x[i * step] - top) * scale);
      total += y[i * step];
    }
    for (std::int64_t i = 0; i < n; ++i) y[i * step] /= total;
  }
  /// dx = scale * y * (dy - <y, dy>)
  template <class T>
  DML_HOST_DEVICE void softmax_gradient(const T* y, const T* dy, T scale, T* dx) const {
    T along = 0;
    for (std::int64_t i = 0; i < n; ++i) along += y[i * step] * dy[i * step];
    for (std::int64_t i = 0; i < n; ++i)
      dx[i * step] = scale * y[i * step] * (dy[i * step] - along);
  }
  /// dx = scale * (dy - exp(y) * sum(dy))
  template <class T>
  DML_HOST_DEVICE void log_softmax_gradient(const T* y, const T* dy, T scale, T* dx) const {
    using std::exp;
    T total = 0;
    for (std::int64_t i = 0; i < n; ++i) total += dy[i * step];
    for (std::int64_t i = 0; i < n; ++i)
      dx[i * step] = scale * (dy[i * step] - exp(y[i * step]) * total);
  }
};

namespace kernel {
/// scale = 1 / temperature.
inline constinit Kernel<void(const Tensor& x, const Axis& view, double scale, Tensor& y)>
    softmax_fwd{"softmax"};
inline constinit Kernel<void(const Tensor& y, const Axis& view, double scale, const Tensor& dy,
                             Tensor& dx)>
    softmax_bwd{"softmax backward"};
inline constinit Kernel<void(const Tensor& x, const Axis& view, double scale, Tensor& y)>
    log_softmax_fwd{"log_softmax"};
inline constinit Kernel<void(const Tensor& y, const Axis& view, double scale, const Tensor& dy,
                             Tensor& dx)>
    log_softmax_bwd{"log_softmax backward"};
/// One number per line.
inline constinit Kernel<void(const Tensor& x, const Axis& view, Tensor& y)> logsumexp_fwd{
    "logsumexp"};
/// dx = dy * exp(x - y)
inline constinit Kernel<void(const Tensor& x, const Tensor& y, const Axis& view, const Tensor& dy,
                             Tensor& dx)>
    logsumexp_bwd{"logsumexp backward"};
}  // namespace kernel

}  // namespace dml
