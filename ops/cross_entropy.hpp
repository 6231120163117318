#pragma once
#include <cmath>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"
#include "ops/softmax.hpp"

namespace dml {

/// What becomes of the values of the rows.
enum class Reduction : std::uint8_t { none, mean, sum };

/// @see cross_entropy
struct CrossEntropyOptions {
  double label_smoothing = 0;        ///< eps in [0, 1]: share of the target spread over all classes
  std::int64_t ignore_index = -100;  ///< rows with this label cost nothing and count for nothing
  Reduction reduction = Reduction::mean;
  double temperature = 1;  ///< logits are divided by it
  Tensor class_weight{};   ///< [c] of the logits' type, or undefined: 1
};

/// Cross-entropy of logits against class labels, with p = softmax(x / temperature):
///   row = -(1 - eps) w[y] log p[y] - eps / c * sum_k w[k] log p[k]
/// The mean divides by the sum of w[y] over the rows that are not ignored (their number, without
/// weights); of no rows it is NaN. As PyTorch's cross_entropy.
///
/// @param x       [n, c]
/// @param labels  [n] i64, in [0, c) or ignore_index.
/// @return        [], or [n] with Reduction::none
/// @throws        ShapeError for shapes that do not fit and, on the host, for other labels.
Var cross_entropy(const Var& x, const Tensor& labels, const CrossEntropyOptions& options = {});

/// Cross-entropy against target probabilities: the mean over rows of -sum_k q[k] log p[k].
/// @param x, q  [n, c]; q may want a gradient.
Var cross_entropy_soft(const Var& x, const Var& q);

/// What a row kernel of cross_entropy reads beside the logits.
struct CrossEntropyRow {
  std::int64_t classes;
  double label_smoothing, scale;  ///< scale = 1 / temperature

  /// The row's value; w may be null.
  template <class T>
  DML_HOST_DEVICE T value(const T* x, const T* w, std::int64_t label,
                          const LogSumParts<T>& log_sum) const {
    const T own = w == nullptr ? T(1) : w[label];
    T result = T(1 - label_smoothing) * own * log_sum.cost(x[label], T(scale));
    if (label_smoothing > 0) {
      T spread = 0;
      for (std::int64_t k = 0; k < classes; ++k)
        spread += (w == nullptr ? T(1) : w[k]) * log_sum.cost(x[k], T(scale));
      result += T(label_smoothing / static_cast<double>(classes)) * spread;
    }
    return result;
  }
  /// dx for the upstream gradient `up` of the row's value.
  template <class T>
  DML_HOST_DEVICE void gradient(const T* x, const T* w, std::int64_t label, T up, T* dx) const {
    SoftmaxLine{classes, 1}.softmax(x, T(scale), dx);
    const T share = T(label_smoothing / static_cast<double>(classes));
    const T own = T(1 - label_smoothing) * (w == nullptr ? T(1) : w[label]);
    T total = own;
    if (label_smoothing > 0)
      for (std::int64_t k = 0; k < classes; ++k) total += share * (w == nullptr ? T(1) : w[k]);
    for (std::int64_t k = 0; k < classes; ++k) {
      T target = label_smoothing > 0 ? share * (w == nullptr ? T(1) : w[k]) : T(0);
      if (k == label) target += own;
      dx[k] = up * T(scale) * (total * dx[k] - target);
    }
  }
};

namespace kernel {
/// Per row: its value and weight in the mean (0 and 0 for an ignored row). w may be undefined.
/// cost, weight: [n].
inline constinit Kernel<void(const Tensor& x, const Tensor& labels, const Tensor& w,
                             const CrossEntropyRow& row, std::int64_t ignore, Tensor& cost,
                             Tensor& weight)>
    cross_entropy_fwd{"cross_entropy"};
/// up: [n], the gradient of the rows' values.
inline constinit Kernel<void(const Tensor& x, const Tensor& labels, const Tensor& w,
                             const CrossEntropyRow& row, std::int64_t ignore, const Tensor& up,
                             Tensor& dx)>
    cross_entropy_bwd{"cross_entropy backward"};
}  // namespace kernel

}  // namespace dml
