#pragma once
#include <array>

#include "dml/pairs/row_loss.hpp"
#include "engine/cpu/parallel.hpp"

/// The reference and cpu kernels of RowLoss; only the .cpp that registers a functor needs them.
namespace dml {

namespace pairs {

/// Row i of the inputs.
template <class T>
Row<T> row_of(const Tensor& matrix, const RowInputs& in, std::int64_t i, const T* up) {
  const std::int64_t q = matrix.dim(1);
  Row<T> row{matrix.raw<T>() + i * q,
             in.relation.raw<float>() + i * q,
             nullptr,
             in.parameter.defined() ? in.parameter.raw<T>()[i] : T(0),
             q,
             i,
             matrix.dim(0),
             matrix.raw<T>(),
             in.relation.raw<float>(),
             in.others.defined() ? in.others.raw<T>() : nullptr,
             up};
  FilterPointers<T>(in.filter).give(row, i, q);
  return row;
}

/// Rows [first, last) of the forward kernel. Everything is inlined into it, and the functor copied:
/// what its loops read is then in registers, and they are vectorised.
template <class F, class T, class Team>
[[gnu::flatten]] void sum_rows(const F& functor, const Tensor& matrix, const RowInputs& in,
                               Tensor& sums, std::int64_t first, std::int64_t last) {
  const F f = functor;
  const std::int64_t n = matrix.dim(0);
  T* to = sums.raw<T>();
  double* number = in.counts.raw<double>();
  for (std::int64_t i = first; i < last; ++i) {
    std::array<double, F::parts> totals{}, counts{};
    f.sums(Team{}, row_of<T>(matrix, in, i, nullptr), totals.data(), counts.data());
    for (std::int64_t k = 0; k < F::parts; ++k) {
      to[k * n + i] = static_cast<T>(totals[static_cast<std::size_t>(k)]);
      number[k * n + i] = counts[static_cast<std::size_t>(k)];
    }
  }
}

/// Rows [first, last) of the backward kernel.
template <class F, class T, class Team>
[[gnu::flatten]] void differentiate_rows(const F& functor, const Tensor& matrix,
                                         const RowInputs& in, const Tensor& up, Tensor& dmatrix,
                                         Tensor& dparameter, std::int64_t first,
                                         std::int64_t last) {
  const F f = functor;
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

/// The forward kernels.
template <class F>
void sums_reference(Device&, const F& f, const Tensor& matrix, const RowInputs& in, Tensor& sums) {
  visit_float(matrix.dtype(),
              [&]<class T>() { sum_rows<F, T, PlainTeam>(f, matrix, in, sums, 0, matrix.dim(0)); });
}
/// As above, f32 on all threads.
template <class F>
void sums_cpu(Device& device, const F& f, const Tensor& matrix, const RowInputs& in, Tensor& sums) {
  cpu::parallel_for(device.threads(), matrix.dim(0), 1 + (1 << 13) / (1 + matrix.dim(1)),
                    [&](std::int64_t first, std::int64_t last) {
                      sum_rows<F, float, VectorTeam>(f, matrix, in, sums, first, last);
                    });
}
/// The backward kernels.
template <class F>
void gradient_reference(Device&, const F& f, const Tensor& matrix, const RowInputs& in,
                        const Tensor& up, Tensor& dmatrix, Tensor& dparameter) {
  visit_float(matrix.dtype(), [&]<class T>() {
    differentiate_rows<F, T, PlainTeam>(f, matrix, in, up, dmatrix, dparameter, 0, matrix.dim(0));
  });
}
/// As above, f32 on all threads.
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
