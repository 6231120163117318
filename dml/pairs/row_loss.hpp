#pragma once
#include <array>
#include <string>
#include <utility>

#include "dml/items.hpp"
#include "dml/pairs/team.hpp"
#include "dml/tuples.hpp"
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

namespace pairs {

/// Bounds in the element type of the values.
template <class T> struct Within {
  T low, high;
  DML_HOST_DEVICE explicit Within(const Bounds& bounds)
      : low(T(bounds.low)), high(T(bounds.high)) {}
  DML_HOST_DEVICE bool operator()(T value) const { return (value > low) & (value < high); }
};

/// The sums of a loss with one value for each anchor: it counts if it lies within the bounds.
template <class T>
DML_HOST_DEVICE void enter(T value, const Bounds& bounds, double* sums, double* counts) {
  if (!Within<T>(bounds)(value)) return;
  sums[0] = static_cast<double>(value);
  counts[0] = 1;
}

}  // namespace pairs

/// What a row loss sees of one anchor.
template <class T> struct Row {
  const T* values;        ///< [q] its row of the matrix of distances
  const float* relation;  ///< [q] see Tuples::relation
  const T* filter;        ///< [q] its row of the miner's distances; null: every triplet is kept
  T parameter;            ///< its own number (a boundary, a weight); 0 without any
  std::int64_t size;      ///< q
  std::int64_t index;     ///< i, of n
  std::int64_t rows;      ///< n
  // For losses in which rows meet: what the other rows have.
  const T* matrix;         ///< [n, q] all distances
  const float* relations;  ///< [n, q]
  const T* others;         ///< [n] a number of every row, found in a pass before; or null
  const T* up;             ///< [parts, n] the gradient of all sums; null in the forward pass
  // For filters by angle.
  const T* between = nullptr;  ///< [q, q] the miner's distances within the reference set
  const T* sums = nullptr;     ///< [q] sums of the components there
  T sum = 0;                   ///< that of the anchor

  /// Whether triplet (p, n) of the row is kept.
  DML_HOST_DEVICE bool keeps(std::int64_t p, std::int64_t n, const TripletRange& range) const {
    if (filter == nullptr) return true;
    if (range.by_angle())
      return range.angle.keeps(static_cast<double>(filter[p]), static_cast<double>(filter[n]),
                               static_cast<double>(between[p * size + n]), static_cast<double>(sum),
                               static_cast<double>(sums[p]), static_cast<double>(sums[n]));
    const T apart = T(range.sign) * (filter[n] - filter[p]);
    return apart > T(range.low) && apart <= T(range.high);
  }
};

/// A TripletFilter as pointers.
template <class T> struct FilterPointers {
  const T *matrix, *between, *anchor_sums, *reference_sums;

  explicit FilterPointers(const TripletFilter& filter)
      : matrix(pointer(filter.matrix)),
        between(pointer(filter.between)),
        anchor_sums(pointer(filter.anchor_sums)),
        reference_sums(pointer(filter.reference_sums)) {}

  /// Makes the filter that of row i.
  DML_HOST_DEVICE void give(Row<T>& row, std::int64_t i, std::int64_t q) const {
    row.size = q;
    row.filter = matrix == nullptr ? nullptr : matrix + i * q;
    row.between = between;
    row.sums = reference_sums;
    row.sum = anchor_sums == nullptr ? T(0) : anchor_sums[i];
  }

 private:
  static const T* pointer(const Tensor& of) { return of.defined() ? of.raw<T>() : nullptr; }
};

/// What a row loss is given besides its matrix.
struct RowInputs {
  Tensor relation{};  ///< [n, q] f32
  TripletFilter filter{};
  Tensor parameter{};  ///< [n] as the matrix, or undefined
  Tensor others{};     ///< [n] as the matrix, or undefined
  Tensor counts{};     ///< [parts, n] f64, written by the forward kernel
};

/// Turns a functor into a loss on the rows of a matrix: one pass forward, and one backward that
/// recomputes what it needs, so that no second matrix is kept. The functor F has
///   static constexpr const char* name;
///   static constexpr int parts;   // sub-losses
///   // sums[part], counts[part]: weighted values and number of the items within bounds
///   template <class T, class Team>
///   DML_HOST_DEVICE void sums(const Team&, const Row<T>&, double* sums, double* counts) const;
///   // gradient[j] = sum over parts of up[part] d sums[part] / d values[j], for all j; returns the
///   // same for row.parameter, 0 if it has none
///   template <class T, class Team>
///   DML_HOST_DEVICE T gradient(const Team&, const Row<T>&, const T* up, T* gradient) const;
/// and is called by all threads of a team. Registration: `const bool added = add_row_loss<F>();` in
/// a .cpp (row_kernels.hpp) and `const bool added = add_row_loss_cuda<F>();` in a .cu
/// (row_loss.cuh).
template <class F> struct RowLoss {
  static inline constinit Kernel<void(const F&, const Tensor& matrix, const RowInputs&,
                                      Tensor& sums)>
      fwd{F::name};
  /// dparameter: undefined when not wanted.
  static inline constinit Kernel<void(const F&, const Tensor& matrix, const RowInputs&,
                                      const Tensor& up, Tensor& dmatrix, Tensor& dparameter)>
      bwd{F::name};

  F function;
  RowInputs in;
  Tensor matrix{};

  Tensor forward(Device& device, const Tensor& m) {
    matrix = device.dense(m);
    Tensor sums = device.empty({F::parts, matrix.dim(0)}, matrix.dtype());
    fwd(device, function, matrix, in, sums);
    return sums;
  }
  Tensor forward(Device& device, const Tensor& m, const Tensor& parameter) {
    in.parameter = device.dense(parameter);
    return forward(device, m);
  }
  template <std::size_t N>
  Grads<N> backward(Device& device, const Tensor& up, std::array<bool, N>) const {
    Grads<N> all;
    all[0] = device.empty(matrix.shape(), matrix.dtype());
    Tensor none;
    if constexpr (N == 2) all[1] = device.empty({matrix.dim(0)}, matrix.dtype());
    bwd(device, function, matrix, in, device.dense(up), all[0], N == 2 ? all[N - 1] : none);
    return all;
  }
};

/// The sub-losses of a row loss.
struct RowSums {
  Var sums;       ///< [parts, n]
  Tensor counts;  ///< [parts, n] f64

  /// One of them, for a Reducer.
  Items part(std::int64_t k) const;
};

/// What else a row loss may read.
struct RowExtras {
  TripletFilter filter{};
  Var parameter{};  ///< [n] one number for each row, which may be learnt
  Tensor others{};  ///< [n] a number of each row that all rows see
};

/// Runs a row loss.
/// @param matrix     [n, q]
/// @param relation   [n, q] f32
template <class F>
RowSums row_loss(F function, const Var& matrix, const Tensor& relation,
                 const RowExtras& extras = {}) {
  const std::int64_t n = matrix.dim(0);
  DML_CHECK(relation.shape() == matrix.shape(), std::string(F::name) + ": relation " +
                                                    to_string(relation.shape()) +
                                                    " for distances " + to_string(matrix.shape()));
  RowInputs in;
  in.relation = relation;
  in.filter = extras.filter;
  in.others = extras.others;
  in.counts = matrix.device().zeros({F::parts, n}, DType::f64);
  const Tensor counts = in.counts;
  RowLoss<F> op{std::move(function), std::move(in), {}};
  const Var sums = extras.parameter.defined() ? apply(std::move(op), matrix, extras.parameter)
                                              : apply(std::move(op), matrix);
  return {sums, counts};
}

}  // namespace dml
