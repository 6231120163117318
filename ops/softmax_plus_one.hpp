#pragma once
#include <cmath>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/axis.hpp"

namespace dml {

/// exp(x) / (1 + sum of exp(x)) along the last axis: a softmax with one more entry, 0, that nobody
/// gets, so that a line may add up to less than 1 (the attention of Seidenschwarz et al., ICML
/// 2021). Shifted by max(0, largest), large values of either sign do not overflow. Entries of minus
/// infinity get 0 and no gradient.   [..., n] -> [..., n]
/// @throws ShapeError when x has no axis.
Var softmax_plus_one(const Var& x);

/// The arithmetic of one line of n packed elements; the same on every backend.
struct SoftmaxPlusOneLine {
  std::int64_t n;

  template <class T> DML_HOST_DEVICE void operator()(const T* x, T* y) const {
    using std::exp;
    T most = 0;
    for (std::int64_t i = 0; i < n; ++i) most = x[i] > most ? x[i] : most;
    T total = exp(-most);
    for (std::int64_t i = 0; i < n; ++i) {
      y[i] = exp(x[i] - most);
      total += y[i];
    }
    for (std::int64_t i = 0; i < n; ++i) y[i] /= total;
  }
};

namespace kernel {
/// The gradient is that of softmax (softmax_bwd): dx = y (dy - <y, dy>).
inline constinit Kernel<void(const Tensor& x, const Axis& view, Tensor& y)> softmax_plus_one{
    "softmax_plus_one"};
}  // namespace kernel

}  // namespace dml
