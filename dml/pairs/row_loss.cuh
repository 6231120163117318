#pragma once
#include "dml/pairs/row_loss.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {

/// The threads of a block on one row; see PlainTeam. The bodies exist on the device alone: functors
/// are compiled for the host as well, where no team of this kind is ever made.
struct BlockTeam {
#if defined(__CUDA_ARCH__) || !defined(__CUDACC__)
  template <class F> DML_HOST_DEVICE double sum(std::int64_t n, const F& f) const {
    double part = 0;
    for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x) part += static_cast<double>(f(j));
    return cuda::block_sum(part);
  }
  template <class F> DML_HOST_DEVICE Four<double> sum4(std::int64_t n, const F& f) const {
    Four<double> part;
    for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x) {
      const auto t = f(j);
      part.a += static_cast<double>(t.a);
      part.b += static_cast<double>(t.b);
      part.c += static_cast<double>(t.c);
      part.d += static_cast<double>(t.d);
    }
    return {cuda::block_sum(part.a), cuda::block_sum(part.b), cuda::block_sum(part.c),
            cuda::block_sum(part.d)};
  }
  template <class F> DML_HOST_DEVICE auto largest(std::int64_t n, const F& f) const {
    using T = decltype(f(n));
    T most = T(-HUGE_VALF);
    for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x) most = f(j) > most ? f(j) : most;
    return cuda::block_max(most);
  }
  template <class F> DML_HOST_DEVICE void each(std::int64_t n, const F& f) const {
    for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x) f(j);
  }
  template <class F> DML_HOST_DEVICE void at(std::int64_t j, const F& f) const {
    if (j % blockDim.x == threadIdx.x) f();
  }
#else
  template <class F> DML_HOST_DEVICE double sum(std::int64_t, const F&) const { return 0; }
  template <class F> DML_HOST_DEVICE Four<double> sum4(std::int64_t, const F&) const { return {}; }
  template <class F> DML_HOST_DEVICE auto largest(std::int64_t n, const F&) const {
    return decltype(std::declval<const F&>()(n))(0);
  }
  template <class F> DML_HOST_DEVICE void each(std::int64_t, const F&) const {}
  template <class F> DML_HOST_DEVICE void at(std::int64_t, const F&) const {}
#endif
  template <class T> DML_HOST_DEVICE T exp(T x) const { return ::exp(x); }
};

namespace pairs {

/// RowInputs as pointers.
template <class T> struct RowPointers {
  const T *matrix, *parameter, *others, *up;
  FilterPointers<T> filter;
  const float* relation;
  double* counts;
  std::int64_t n, q;

  RowPointers(const Tensor& values, const RowInputs& in, const T* gradient)
      : matrix(values.raw<T>()),
        parameter(in.parameter.defined() ? in.parameter.raw<T>() : nullptr),
        others(in.others.defined() ? in.others.raw<T>() : nullptr),
        up(gradient),
        filter(in.filter),
        relation(in.relation.raw<float>()),
        counts(in.counts.defined() ? in.counts.raw<double>() : nullptr),
        n(values.dim(0)),
        q(values.dim(1)) {}

  DML_HOST_DEVICE Row<T> row(std::int64_t i) const {
    Row<T> row{matrix + i * q,
               relation + i * q,
               nullptr,
               parameter == nullptr ? T(0) : parameter[i],
               q,
               i,
               n,
               matrix,
               relation,
               others,
               up};
    filter.give(row, i, q);
    return row;
  }
};

template <class F, class T>
void sum_on_blocks(cuda::Context& context, const F& f, const Tensor& matrix, const RowInputs& in,
                   Tensor& sums) {
  const F function = f;
  const RowPointers<T> at(matrix, in, nullptr);
  T* out = sums.raw<T>();
  cuda::for_each_row(context, at.n, at.q, [=] __device__(std::int64_t i) {
    double totals[F::parts] = {}, counts[F::parts] = {};
    function.sums(BlockTeam{}, at.row(i), totals, counts);
    if (threadIdx.x != 0) return;
    for (int k = 0; k < F::parts; ++k) {
      out[k * at.n + i] = static_cast<T>(totals[k]);
      at.counts[k * at.n + i] = counts[k];
    }
  });
}

template <class F, class T>
void differentiate_on_blocks(cuda::Context& context, const F& f, const Tensor& matrix,
                             const RowInputs& in, const Tensor& up, Tensor& dmatrix,
                             Tensor& dparameter) {
  const F function = f;
  const RowPointers<T> at(matrix, in, up.raw<T>());
  T *to = dmatrix.raw<T>(), *slopes = dparameter.defined() ? dparameter.raw<T>() : nullptr;
  cuda::for_each_row(context, at.n, at.q, [=] __device__(std::int64_t i) {
    T own[F::parts];
    for (int k = 0; k < F::parts; ++k) own[k] = at.up[k * at.n + i];
    const T slope = function.gradient(BlockTeam{}, at.row(i), own, to + i * at.q);
    if (slopes != nullptr && threadIdx.x == 0) slopes[i] = slope;
  });
}

template <class F>
void sums_cuda(Device& device, const F& f, const Tensor& matrix, const RowInputs& in,
               Tensor& sums) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(matrix.dtype(),
              [&]<class T>() { sum_on_blocks<F, T>(context, f, matrix, in, sums); });
}

template <class F>
void gradient_cuda(Device& device, const F& f, const Tensor& matrix, const RowInputs& in,
                   const Tensor& up, Tensor& dmatrix, Tensor& dparameter) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(matrix.dtype(), [&]<class T>() {
    differentiate_on_blocks<F, T>(context, f, matrix, in, up, dmatrix, dparameter);
  });
}

}  // namespace pairs

/// Fills the cuda slots of RowLoss<F> with the functor that the other backends run.
template <class F> bool add_row_loss_cuda(const char* file = __builtin_FILE()) {
  using Op = RowLoss<F>;
  return Op::fwd.add(Backend::cuda, pairs::sums_cuda<F>, file) &&
         Op::bwd.add(Backend::cuda, pairs::gradient_cuda<F>, file);
}

}  // namespace dml
