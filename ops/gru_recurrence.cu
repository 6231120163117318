#include "engine/cuda/launch.cuh"
#include "ops/gru_recurrence.hpp"

namespace dml {
namespace {

template <class T>
void next_states(cuda::Context& context, const Tensor& from_x, const Tensor& from_h,
                 const Tensor& bias, const Tensor& h, Tensor& gates, Tensor& next) {
  const T *x = from_x.raw<T>(), *s = from_h.raw<T>(), *b = bias.raw<T>(), *state = h.raw<T>();
  T *gate = gates.raw<T>(), *to = next.raw<T>();
  const std::int64_t hidden = h.dim(1);
  const GruUnit unit{hidden};
  cuda::for_each_cell(context, h.dim(0), hidden, [=] __device__(std::int64_t r, std::int64_t k) {
    to[r * hidden + k] = unit.next(x + r * 3 * hidden + k, s + r * 3 * hidden + k, b + k,
                                   state[r * hidden + k], gate + r * 4 * hidden + k);
  });
}

template <class T>
void pull(cuda::Context& context, const Tensor& gates, const Tensor& h, const Tensor& dy,
          Tensor& carry, Tensor& from_x, Tensor& from_h) {
  const T *gate = gates.raw<T>(), *state = h.raw<T>(), *up = dy.raw<T>();
  T *c = carry.raw<T>(), *x = from_x.raw<T>(), *s = from_h.raw<T>();
  const std::int64_t hidden = h.dim(1);
  const GruUnit unit{hidden};
  cuda::for_each_cell(context, h.dim(0), hidden, [=] __device__(std::int64_t r, std::int64_t k) {
    const std::int64_t i = r * hidden + k;
    c[i] = unit.pull(gate + r * 4 * hidden + k, state[i], up[i] + c[i], x + r * 3 * hidden + k,
                     s + r * 3 * hidden + k);
  });
}

void step_forward(Device& device, const Tensor& from_x, const Tensor& from_h, const Tensor& bias,
                  const Tensor& h, Tensor& gates, Tensor& next) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(h.dtype(),
              [&]<class T>() { next_states<T>(context, from_x, from_h, bias, h, gates, next); });
}

void step_backward(Device& device, const Tensor& gates, const Tensor& h, const Tensor& dy,
                   Tensor& carry, Tensor& from_x, Tensor& from_h) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(h.dtype(), [&]<class T>() { pull<T>(context, gates, h, dy, carry, from_x, from_h); });
}

const bool gru_recurrence_added = kernel::gru_step_fwd.add(Backend::cuda, step_forward) &&
                                  kernel::gru_step_bwd.add(Backend::cuda, step_backward);

}  // namespace
}  // namespace dml
