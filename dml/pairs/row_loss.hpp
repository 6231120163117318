#pragma once
#include <array>
#include <string>
#include <utility>

#include "dml/pairs/team.hpp"
#include "dml/reducer.hpp"
#include "dml/tuples.hpp"
#include "engine/cpu/parallel.hpp"
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

namespace pairs {

/// Bounds in the element type of the values.
template <class T> struct Within {
  T low, high;
  DML_HOST_DEVICE explicit Within(const Bounds& bounds)
      : low(T(bounds.low)), high(T(bounds.high)) {}
  DML_HOST_DEVICE bool operator()(T value) const { return value > low && value < high; }
};

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
  /// Whether triplet (p, n) of the row is kept.
  DML_HOST_DEVICE bool keeps(std::int64_t p, std::int64_t n, const TripletRange& range) const {
    if (filter == nullptr) return true;
    const T apart = T(range.sign) * (filter[n] - filter[p]);
    return apart > T(range.low) && apart <= T(range.high);
  }
};

/// What a row loss is given besides its matrix.
struct RowInputs {
  Tensor relation{};   ///< [n, q] f32
  Tensor filter{};     ///< [n, q] as the matrix, or undefined
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
/// a .cpp and `const bool added = add_row_loss_cuda<F>();` in a .cu (row_loss.cuh).
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
  Tensor filter{};  ///< [n, q] the miner's distances (TripletFilter::matrix)
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

namespace pairs {

/// Row i of the inputs.
template <class T>
Row<T> row_of(const Tensor& matrix, const RowInputs& in, std::int64_t i, const T* up) {
  const std::int64_t q = matrix.dim(1);
  const T* filter = in.filter.defined() ? in.filter.raw<T>() + i * q : nullptr;
  return {matrix.raw<T>() + i * q,
          in.relation.raw<float>() + i * q,
          filter,
          in.parameter.defined() ? in.parameter.raw<T>()[i] : T(0),
          q,
          i,
          matrix.dim(0),
          matrix.raw<T>(),
          in.relation.raw<float>(),
          in.others.defined() ? in.others.raw<T>() : nullptr,
          up};
}

/// Rows [first, last) of the forward kernel.
template <class F, class T, class Team>
void sum_rows(const F& f, const Tensor& matrix, const RowInputs& in, Tensor& sums,
              std::int64_t first, std::int64_t last) {
  const std::int64_t n = matrix.dim(0);
  for (std::int64_t i = first; i < last; ++i) {
    std::array<double, F::parts> totals{}, counts{};
    f.sums(Team{}, row_of<T>(matrix, in, i, nullptr), totals.data(), counts.data());
    for (std::int64_t k = 0; k < F::parts; ++k) {
      sums.raw<T>()[k * n + i] = static_cast<T>(totals[static_cast<std::size_t>(k)]);
      in.counts.raw<double>()[k * n + i] = counts[static_cast<std::size_t>(k)];
    }
  }
}

/// Rows [first, last) of the backward kernel.
template <class F, class T, class Team>
void differentiate_rows(const F& f, const Tensor& matrix, const RowInputs& in, const Tensor& up,
                        Tensor& dmatrix, Tensor& dparameter, std::int64_t first,
                        std::int64_t last) {
  const std::int64_t n = matrix.dim(0), q = matrix.dim(1);
  for (std::int64_t i = first; i < last; ++i) {
    std::array<T, F::parts> own{};
    for (std::int64_t k = 0; k < F::parts; ++k)
      own[static_cast<std::size_t>(k)] = up.raw<T>()[k * n + i];
    const T slope = f.gradient(Team{}, row_of(matrix, in, i, up.raw<T>()), own.data(),
                               dmatrix.raw<T>() + i * q);
    if (dparameter.defined()) dparameter.raw<T>()[i] = slope;
  }
}

template <class F>
void sums_reference(Device&, const F& f, const Tensor& matrix, const RowInputs& in, Tensor& sums) {
  visit_float(matrix.dtype(),
              [&]<class T>() { sum_rows<F, T, PlainTeam>(f, matrix, in, sums, 0, matrix.dim(0)); });
}
template <class F>
void sums_cpu(Device& device, const F& f, const Tensor& matrix, const RowInputs& in, Tensor& sums) {
  cpu::parallel_for(device.threads(), matrix.dim(0), 1 + (1 << 13) / (1 + matrix.dim(1)),
                    [&](std::int64_t first, std::int64_t last) {
                      sum_rows<F, float, VectorTeam>(f, matrix, in, sums, first, last);
                    });
}
template <class F>
void gradient_reference(Device&, const F& f, const Tensor& matrix, const RowInputs& in,
                        const Tensor& up, Tensor& dmatrix, Tensor& dparameter) {
  visit_float(matrix.dtype(), [&]<class T>() {
    differentiate_rows<F, T, PlainTeam>(f, matrix, in, up, dmatrix, dparameter, 0, matrix.dim(0));
  });
}
template <class F>
void gradient_cpu(Device& device, const F& f, const Tensor& matrix, const RowInputs& in,
                  const Tensor& up, Tensor& dmatrix, Tensor& dparameter) {
  cpu::parallel_for(device.threads(), matrix.dim(0), 1 + (1 << 13) / (1 + matrix.dim(1)),
                    [&](std::int64_t first, std::int64_t last) {
                      differentiate_rows<F, float, VectorTeam>(f, matrix, in, up, dmatrix,
                                                               dparameter, first, last);
                    });
}

}  // namespace pairs

/// Fills the reference slots of RowLoss<F> with plain loops and its cpu slots with threaded,
/// vectorised ones.
template <class F> bool add_row_loss(const char* file = __builtin_FILE()) {
  using Op = RowLoss<F>;
  return Op::fwd.add(Backend::reference, pairs::sums_reference<F>, file) &&
         Op::bwd.add(Backend::reference, pairs::gradient_reference<F>, file) &&
         Op::fwd.add(Backend::cpu, pairs::sums_cpu<F>, file) &&
         Op::bwd.add(Backend::cpu, pairs::gradient_cpu<F>, file);
}

}  // namespace dml
