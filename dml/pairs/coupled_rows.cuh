#pragma once
#include "dml/pairs/coupled_rows.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {
namespace pairs {

template <class F, class T>
void coupled_sums_on_blocks(cuda::Context& context, const F& f, const CoupledInputs& in,
                            Tensor& sums) {
  const F function = f;
  const Coupled<T> at = coupled<T>(in, nullptr);
  T* out = sums.raw<T>();
  double* counts = in.counts.raw<double>();
  cuda::for_each_row(context, at.rows, at.size, [=] __device__(std::int64_t a) {
    double sum = 0, count = 0;
    function.sums(BlockTeam{}, at, a, sum, count);
    if (threadIdx.x != 0) return;
    out[a] = static_cast<T>(sum);
    counts[a] = count;
  });
}

template <class F, class T>
void coupled_gradients_on_blocks(cuda::Context& context, const F& f, const CoupledInputs& in,
                                 const Tensor& up, Tensor& dpositive, Tensor& dnegative,
                                 Tensor& dbetween) {
  const F function = f;
  const Coupled<T> at = coupled<T>(in, up.raw<T>());
  T *positive = dpositive.raw<T>(), *negative = dnegative.raw<T>(), *between = dbetween.raw<T>();
  const std::int64_t q = at.size;
  cuda::for_each_row(context, at.rows, q, [=] __device__(std::int64_t a) {
    function.anchor_gradient(BlockTeam{}, at, a, positive + a * q, negative + a * q);
  });
  cuda::for_each_row(context, q, q, [=] __device__(std::int64_t p) {
    function.partner_gradient(BlockTeam{}, at, p, between + p * q);
  });
}

template <class F>
void coupled_sums_cuda(Device& device, const F& f, const CoupledInputs& in, Tensor& sums) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(sums.dtype(), [&]<class T>() { coupled_sums_on_blocks<F, T>(context, f, in, sums); });
}
template <class F>
void coupled_gradients_cuda(Device& device, const F& f, const CoupledInputs& in, const Tensor& up,
                            Tensor& dpositive, Tensor& dnegative, Tensor& dbetween) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(up.dtype(), [&]<class T>() {
    coupled_gradients_on_blocks<F, T>(context, f, in, up, dpositive, dnegative, dbetween);
  });
}

}  // namespace pairs

/// Fills the cuda slots of CoupledRows<F>.
template <class F> bool add_coupled_rows_cuda(const char* file = __builtin_FILE()) {
  using Op = CoupledRows<F>;
  return Op::fwd.add(Backend::cuda, pairs::coupled_sums_cuda<F>, file) &&
         Op::bwd.add(Backend::cuda, pairs::coupled_gradients_cuda<F>, file);
}

}  // namespace dml
