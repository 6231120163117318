#include "dml/lm_metric/act_norm.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

template <class T>
void start_channels(cuda::Context& context, const Tensor& x, Tensor& bias, Tensor& logs,
                    Tensor& done) {
  const std::int64_t rows = x.dim(0), c = x.dim(1);
  const T* from = x.raw<T>();
  T *b = bias.raw<T>(), *l = logs.raw<T>(), *flag = done.raw<T>();
  cuda::for_each_row(context, c, rows, [=] __device__(std::int64_t k) {
    if (flag[0] != T(0)) return;  // the same for all threads
    double sum = 0, squares = 0;
    for (std::int64_t r = threadIdx.x; r < rows; r += blockDim.x)
      sum += static_cast<double>(from[r * c + k]);
    const double mean = cuda::block_sum(sum) / static_cast<double>(rows);
    for (std::int64_t r = threadIdx.x; r < rows; r += blockDim.x) {
      const double apart = static_cast<double>(from[r * c + k]) - mean;
      squares += apart * apart;
    }
    const double deviation = std::sqrt(cuda::block_sum(squares) / static_cast<double>(rows));
    if (threadIdx.x != 0) return;
    b[k] = static_cast<T>(-mean);
    l[k] = static_cast<T>(-std::log(deviation + 1e-6));
  });
  // After all channels have read it: in a launch of its own.
  cuda::for_each(context, 1, [=] __device__(std::int64_t) { flag[0] = T(1); });
}

void start(Device& device, const Tensor& x, Tensor& bias, Tensor& logs, Tensor& done) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { start_channels<T>(context, x, bias, logs, done); });
}

const bool act_norm_added = kernel::act_norm_start.add(Backend::cuda, start);

}  // namespace
}  // namespace dml
