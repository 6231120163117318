#pragma once
#include "dml/miners/row_miner.hpp"
#include "dml/pairs/row_loss.cuh"

namespace dml {

namespace pairs {

template <class F, class T>
void mine_on_blocks(cuda::Context& context, const F& f, const Tensor& matrix, const RowInputs& in,
                    Tensor& out) {
  const F function = f;
  const std::int64_t n = matrix.dim(0), q = matrix.dim(1);
  const T* values = matrix.raw<T>();
  const float* relation = in.relation.raw<float>();
  auto* to = out.raw<typename RowMiner<F>::template Out<T>>();
  cuda::for_each_row(context, n, q, [=] __device__(std::int64_t i) {
    Row<T> row{};
    row.values = values + i * q;
    row.relation = relation + i * q;
    row.size = q;
    row.index = i;
    row.rows = n;
    function.mine(BlockTeam{}, row, to + i * q);
  });
}

template <class F>
void mine_cuda(Device& device, const F& f, const Tensor& matrix, const RowInputs& in, Tensor& out) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(matrix.dtype(),
              [&]<class T>() { mine_on_blocks<F, T>(context, f, matrix, in, out); });
}

}  // namespace pairs

/// Fills the cuda slot with the functor that the other backends run.
template <class F> bool add_row_miner_cuda(const char* file = __builtin_FILE()) {
  return RowMiner<F>::kernel.add(Backend::cuda, pairs::mine_cuda<F>, file);
}

}  // namespace dml
