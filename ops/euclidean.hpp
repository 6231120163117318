#pragma once
#include <cmath>

#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Euclidean distances of every row of a to every row of b, to a power (2: squared).
/// [n, d], [q, d] -> [n, q]
/// One matrix product forward and one each backward. Entries that are small beside the lengths of
/// their rows come from the differences, forward and backward: near rows lose no digits, the
/// distance of equal rows is 0 and its gradient 0.
/// @throws ShapeError unless both are matrices of equally long rows.
Var euclidean(const Var& a, const Var& b, double power = 1);
/// The same within one set of rows, with one product backward.   [n, d] -> [n, n]
Var euclidean(const Var& x, double power = 1);

/// The operands of the kernels below; self: b is a.
struct Euclidean {
  Tensor a{}, b{};
  Tensor squares_a{}, squares_b{};  ///< [n], [q] squared lengths of the rows
  double power = 1;
  bool self = false;

  /// Whether the expanded form |a|^2 + |b|^2 - 2ab has lost digits at this squared distance.
  template <class T> DML_HOST_DEVICE static bool is_near(T squared, T aa, T bb) {
    return squared < T(0.01) * (aa + bb);
  }
  /// squared^(power / 2)
  template <class T> DML_HOST_DEVICE static T raise(T squared, double power) {
    using std::pow, std::sqrt;
    return power == 2 ? squared : power == 1 ? sqrt(squared) : pow(squared, T(power / 2));
  }
  /// The squared distance of a matrix entry.
  template <class T> DML_HOST_DEVICE static T squared_of(T y, double power) {
    using std::pow;
    return power == 2 ? y : power == 1 ? y * y : pow(y, T(2 / power));
  }
  /// d y / d squared; 0 at distance 0 unless the power is 2.
  template <class T> DML_HOST_DEVICE static T slope(T y, double power) {
    using std::pow;
    if (power == 2) return T(1);
    if (!(y > T(0))) return T(0);
    return power == 1 ? T(0.5) / y : T(power / 2) * pow(y, T(1 - 2 / power));
  }
};

namespace kernel {
/// squares [n] of the rows of x.
inline constinit Kernel<void(const Tensor& x, Tensor& squares)> row_squares{"row squares"};
/// y: inner products in, distances out.
inline constinit Kernel<void(const Euclidean& in, Tensor& y)> euclidean_fwd{"euclidean"};
/// weights [n, q] = 2 dy dy/dsquared, 0 at near entries; near [n]: whether a row has a near entry
/// off the diagonal.
inline constinit Kernel<void(const Euclidean& in, const Tensor& y, const Tensor& dy,
                             Tensor& weights, Tensor& near)>
    euclidean_weights{"euclidean weights"};
/// dx_i = sums_i x_i - dx_i (sums of the rows or columns of weights), plus the near entries' part:
/// weight (x_i - other_j). With `of_b`, x is b and the rows are columns of the matrix.
inline constinit Kernel<void(const Euclidean& in, const Tensor& y, const Tensor& dy,
                             const Tensor& sums, const Tensor& near, bool of_b, Tensor& dx)>
    euclidean_finish{"euclidean gradient"};
/// dx [n, d] of the distances within one set of rows. The cpu kernel adds up the differences of
/// the pairs that have a gradient when they are few, which a loss with margins leaves.
inline constinit Kernel<void(const Euclidean& in, const Tensor& y, const Tensor& dy, Tensor& dx)>
    euclidean_self_gradient{"euclidean gradient within a set"};
}  // namespace kernel

/// euclidean_self_gradient by one matrix product, through the kernels above.
void euclidean_self_gradient_by_product(Device& device, const Euclidean& in, const Tensor& y,
                                        const Tensor& dy, Tensor& dx);

}  // namespace dml
