#pragma once
#include <limits>
#include <type_traits>

#include "dml/pairs/row_kernels.hpp"

namespace dml {

/// Turns a functor on one row of a matrix of distances into a kernel. The functor F has
///   static constexpr const char* name;
///   static constexpr bool relation;  // it writes a relation (f32), else numbers as the matrix
///   template <class T, class Team, class Out>
///   DML_HOST_DEVICE void mine(const Team&, const Row<T>&, Out* out) const;  // out[j] for all j
/// and is called by all threads of a team. Registration: `const bool added = add_row_miner<F>();`
/// in a .cpp and `const bool added = add_row_miner_cuda<F>();` in a .cu (row_miner.cuh).
template <class F> struct RowMiner {
  static inline constinit Kernel<void(const F&, const Tensor& matrix, const RowInputs&,
                                      Tensor& out)>
      kernel{F::name};
  template <class T> using Out = std::conditional_t<F::relation, float, T>;
};

/// Runs a row miner.
/// @param matrix    [n, q]
/// @param relation  [n, q] f32
/// @return          [n, q]
template <class F>
Tensor mine_rows(Device& device, const F& function, const Tensor& matrix, const Tensor& relation) {
  Tensor out = device.empty(matrix.shape(), F::relation ? DType::f32 : matrix.dtype());
  RowInputs in;
  in.relation = relation;
  RowMiner<F>::kernel(device, function, device.dense(matrix), in, out);
  return out;
}

namespace pairs {

/// The column with the largest value among those that `eligible` takes, the first of equal ones.
template <class T> struct Best {
  T value;              ///< -infinity without any
  std::int64_t column;  ///< -1 without any
  DML_HOST_DEVICE bool found() const { return column >= 0; }
};
template <class T, class Team, class Eligible, class Value>
DML_HOST_DEVICE Best<T> best(const Team& team, std::int64_t n, const Eligible& eligible,
                             const Value& value) {
  constexpr T none = -std::numeric_limits<T>::infinity();
  const T most = team.largest(n, [&](std::int64_t j) { return eligible(j) ? T(value(j)) : none; });
  const T first = team.largest(n, [&](std::int64_t j) {
    return eligible(j) && T(value(j)) == most ? -static_cast<T>(j) : none;
  });
  // A vectorised maximum of nothing may begin at the lowest number instead of minus infinity.
  if (!(first >= -static_cast<T>(n))) return {none, -1};
  return {most, static_cast<std::int64_t>(-first)};
}

/// Rows [first, last) of a row miner with one kind of team.
template <class F, class T, class Team>
void mine_rows_of(const F& f, const Tensor& matrix, const RowInputs& in, Tensor& out,
                  std::int64_t first, std::int64_t last) {
  using Out = typename RowMiner<F>::template Out<T>;
  for (std::int64_t i = first; i < last; ++i)
    f.mine(Team{}, row_of<T>(matrix, in, i, nullptr), out.raw<Out>() + i * matrix.dim(1));
}

/// The reference kernel.
template <class F>
void mine_reference(Device&, const F& f, const Tensor& matrix, const RowInputs& in, Tensor& out) {
  visit_float(matrix.dtype(), [&]<class T>() {
    mine_rows_of<F, T, PlainTeam>(f, matrix, in, out, 0, matrix.dim(0));
  });
}
/// The cpu kernel: rows are independent, so any number of threads gives the same bits.
template <class F>
void mine_cpu(Device& device, const F& f, const Tensor& matrix, const RowInputs& in, Tensor& out) {
  cpu::parallel_for(device.threads(), matrix.dim(0), 1 + (1 << 13) / (1 + matrix.dim(1)),
                    [&](std::int64_t first, std::int64_t last) {
                      mine_rows_of<F, float, VectorTeam>(f, matrix, in, out, first, last);
                    });
}

}  // namespace pairs

/// Fills the reference slot with plain loops and the cpu slot with threaded, vectorised ones.
template <class F> bool add_row_miner(const char* file = __builtin_FILE()) {
  return RowMiner<F>::kernel.add(Backend::reference, pairs::mine_reference<F>, file) &&
         RowMiner<F>::kernel.add(Backend::cpu, pairs::mine_cpu<F>, file);
}

}  // namespace dml
