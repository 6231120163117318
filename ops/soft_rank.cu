#include "engine/cuda/reduce.cuh"
#include "ops/soft_rank.hpp"

namespace dml {
namespace {

/// One block for a row.
template <class T>
void ranks(cuda::Context& context, const Tensor& s, const Tensor& chosen, double temperature,
           Tensor& r) {
  const T* in = s.raw<T>();
  const float* pick = chosen.raw<float>();
  T* out = r.raw<T>();
  const std::int64_t q = s.dim(1);
  const T factor = static_cast<T>(1 / temperature);
  cuda::for_each_row(context, s.dim(0), q, [=] __device__(std::int64_t row) {
    const T* x = in + row * q;
    for (std::int64_t i = 0; i < q; ++i) {
      double total = 0;
      if (pick[row * q + i] > 0)
        for (std::int64_t j = threadIdx.x; j < q; j += blockDim.x)
          total += static_cast<double>(smooth_step((x[j] - x[i]) * factor));
      total = cuda::block_sum(total);
      // The entry itself adds a half that is not to count.
      if (threadIdx.x == 0)
        out[row * q + i] = pick[row * q + i] > 0 ? static_cast<T>(total + 0.5) : T(0);
    }
  });
}

template <class T>
void slopes(cuda::Context& context, const Tensor& s, const Tensor& chosen, double temperature,
            const Tensor& dr, Tensor& ds) {
  const T *in = s.raw<T>(), *up = dr.raw<T>();
  const float* pick = chosen.raw<float>();
  T* to = ds.raw<T>();
  const std::int64_t q = s.dim(1);
  const T factor = static_cast<T>(1 / temperature);
  // Every thread gathers for its own entries j: what they add to the ranks of all chosen i, and,
  // where j itself is chosen, what all others take from its rank.
  cuda::for_each_cell(context, s.dim(0), q, [=] __device__(std::int64_t row, std::int64_t j) {
    const T* x = in + row * q;
    const bool own = pick[row * q + j] > 0;
    double total = 0;
    for (std::int64_t i = 0; i < q; ++i) {
      if (i == j || (!own && !(pick[row * q + i] > 0))) continue;
      const T step = smooth_step((x[j] - x[i]) * factor);
      const T slope = step * (1 - step) * factor;
      if (pick[row * q + i] > 0) total += static_cast<double>(up[row * q + i] * slope);
      if (own) total -= static_cast<double>(up[row * q + j] * slope);
    }
    to[row * q + j] = static_cast<T>(total);
  });
}

void forward(Device& device, const Tensor& s, const Tensor& chosen, double temperature, Tensor& r) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(s.dtype(), [&]<class T>() { ranks<T>(context, s, chosen, temperature, r); });
}

void backward(Device& device, const Tensor& s, const Tensor& chosen, double temperature,
              const Tensor& dr, Tensor& ds) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(s.dtype(), [&]<class T>() { slopes<T>(context, s, chosen, temperature, dr, ds); });
}

const bool soft_rank_added = kernel::soft_rank_fwd.add(Backend::cuda, forward) &&
                             kernel::soft_rank_bwd.add(Backend::cuda, backward);

}  // namespace
}  // namespace dml
