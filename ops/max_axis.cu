#include <limits>

#include "ops/lines.cuh"
#include "ops/max_axis.hpp"

namespace dml {
namespace {

template <class T>
void largest(cuda::Context& context, const Tensor& in, const Axis& view, Tensor& out,
             Tensor& places) {
  const T* x = in.raw<T>();
  T* y = out.raw<T>();
  std::int64_t* index = places.raw<std::int64_t>();
  const std::int64_t n = view.length, step = view.inner;
  const T least = -std::numeric_limits<T>::infinity();
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t line) {
        const T* row = x + line * n;
        T most = least;
        std::int64_t place = n, nan = n;  // n: none yet
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
          if (row[i] != row[i]) {
            nan = nan < i ? nan : i;
          } else if (place == n || row[i] > most) {
            most = row[i];
            place = i;
          }
        }
        const T all = cuda::block_max(most);
        const std::int64_t lowest = cuda::block_min(place < n && most == all ? place : n);
        const std::int64_t lowest_nan = cuda::block_min(nan);  // NaN counts as largest
        if (threadIdx.x != 0) return;
        const std::int64_t best = lowest_nan < n ? lowest_nan : lowest;
        y[line] = row[best];
        index[line] = best;
      },
      [=] __device__(std::int64_t line, std::int64_t at) {
        std::int64_t best = 0;
        for (std::int64_t i = 1; i < n; ++i) {
          const T value = x[at + i * step], most = x[at + best * step];
          if (most == most && !(value <= most)) best = i;  // a NaN is kept once found
        }
        y[line] = x[at + best * step];
        index[line] = best;
      });
}

template <class T>
void share(cuda::Context& context, const Tensor& in, const Tensor& out, const Axis& view,
           const Tensor& upstream, Tensor& gradient) {
  const T *x = in.raw<T>(), *y = out.raw<T>(), *dy = upstream.raw<T>();
  T* dx = gradient.raw<T>();
  const std::int64_t n = view.length, step = view.inner;
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t line) {
        const T most = y[line];
        std::int64_t equal = 0;
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
          equal += x[line * n + i] == most ? 1 : 0;
        const T part = dy[line] / static_cast<T>(cuda::block_sum(equal));
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
          dx[line * n + i] = x[line * n + i] == most ? part : T(0);
      },
      [=] __device__(std::int64_t line, std::int64_t at) {
        const T most = y[line];
        std::int64_t equal = 0;
        for (std::int64_t i = 0; i < n; ++i) equal += x[at + i * step] == most ? 1 : 0;
        const T part = dy[line] / static_cast<T>(equal);
        for (std::int64_t i = 0; i < n; ++i)
          dx[at + i * step] = x[at + i * step] == most ? part : T(0);
      });
}

void max_axis(Device& device, const Tensor& x, const Axis& view, Tensor& y, Tensor& index) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { largest<T>(context, x, view, y, index); });
}
void amax_bwd(Device& device, const Tensor& x, const Tensor& y, const Axis& view, const Tensor& dy,
              Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { share<T>(context, x, y, view, dy, dx); });
}

const bool max_axis_added =
    kernel::max_axis.add(Backend::cuda, max_axis) && kernel::amax_bwd.add(Backend::cuda, amax_bwd);

}  // namespace
}  // namespace dml
