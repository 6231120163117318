#include <limits>

#include "ops/lines.cuh"
#include "ops/softmax.cuh"
#include "ops/softmax.hpp"

namespace dml {
namespace {

template <class T>
void softmax(cuda::Context& context, const Tensor& in, const Axis& view, double factor,
             Tensor& out) {
  const T *x = in.raw<T>(), scale = static_cast<T>(factor);
  T* y = out.raw<T>();
  const std::int64_t n = view.length;
  const SoftmaxLine line{n, view.inner};
  if (n == 0) return;
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t row) {
        const T* from = x + row * n;
        T* to = y + row * n;
        const T most = cuda::block_largest(from, n) * scale;
        T total = 0;
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
          to[i] = std::exp(from[i] * scale - most);
          total += to[i];
        }
        total = cuda::block_sum(total);
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) to[i] /= total;
      },
      [=] __device__(std::int64_t, std::int64_t at) { line.softmax(x + at, scale, y + at); });
}

template <class T>
void softmax_gradient(cuda::Context& context, const Tensor& out, const Axis& view, double factor,
                      const Tensor& upstream, Tensor& in) {
  const T *y = out.raw<T>(), *dy = upstream.raw<T>(), scale = static_cast<T>(factor);
  T* dx = in.raw<T>();
  const std::int64_t n = view.length;
  const SoftmaxLine line{n, view.inner};
  if (n == 0) return;
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t row) {
        T along = 0;
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
          along += y[row * n + i] * dy[row * n + i];
        along = cuda::block_sum(along);
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
          dx[row * n + i] = scale * y[row * n + i] * (dy[row * n + i] - along);
      },
      [=] __device__(std::int64_t, std::int64_t at) {
        line.softmax_gradient(y + at, dy + at, scale, dx + at);
      });
}

template <class T>
void log_softmax(cuda::Context& context, const Tensor& in, const Axis& view, double factor,
                 Tensor& out) {
  const T *x = in.raw<T>(), scale = static_cast<T>(factor);
  T* y = out.raw<T>();
  const std::int64_t n = view.length;
  const SoftmaxLine line{n, view.inner};
  if (n == 0) return;
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t row) {
        const T total = cuda::block_log_sum(x + row * n, n, scale);
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
          y[row * n + i] = x[row * n + i] * scale - total;
      },
      [=] __device__(std::int64_t, std::int64_t at) {
        const T total = line.log_sum(x + at, scale);
        for (std::int64_t i = 0; i < line.n; ++i)
          y[at + i * line.step] = x[at + i * line.step] * scale - total;
      });
}

template <class T>
void log_softmax_gradient(cuda::Context& context, const Tensor& out, const Axis& view,
                          double factor, const Tensor& upstream, Tensor& in) {
  const T *y = out.raw<T>(), *dy = upstream.raw<T>(), scale = static_cast<T>(factor);
  T* dx = in.raw<T>();
  const std::int64_t n = view.length;
  const SoftmaxLine line{n, view.inner};
  if (n == 0) return;
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t row) {
        T total = 0;
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) total += dy[row * n + i];
        total = cuda::block_sum(total);
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
          dx[row * n + i] = scale * (dy[row * n + i] - std::exp(y[row * n + i]) * total);
      },
      [=] __device__(std::int64_t, std::int64_t at) {
        line.log_softmax_gradient(y + at, dy + at, scale, dx + at);
      });
}

template <class T>
void logsumexp(cuda::Context& context, const Tensor& in, const Axis& view, Tensor& out) {
  const T* x = in.raw<T>();
  T* y = out.raw<T>();
  const std::int64_t n = view.length;
  const SoftmaxLine line{n, view.inner};
  if (n == 0) {
    const T nothing = -std::numeric_limits<T>::infinity();
    cuda::for_each(context, view.lines(), [=] __device__(std::int64_t i) { y[i] = nothing; });
    return;
  }
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t row) {
        const T total = cuda::block_log_sum(x + row * n, n, T(1));
        if (threadIdx.x == 0) y[row] = total;
      },
      [=] __device__(std::int64_t i, std::int64_t at) { y[i] = line.log_sum(x + at, T(1)); });
}

template <class T>
void logsumexp_gradient(cuda::Context& context, const Tensor& in, const Tensor& out,
                        const Axis& view, const Tensor& upstream, Tensor& gradient) {
  const T *x = in.raw<T>(), *y = out.raw<T>(), *dy = upstream.raw<T>();
  T* dx = gradient.raw<T>();
  const T nothing = -std::numeric_limits<T>::infinity();
  const std::int64_t length = view.length, inner = view.inner;
  cuda::for_each_cell(context, view.outer * length, inner,
                      [=] __device__(std::int64_t r, std::int64_t k) {
                        const std::int64_t line = r / length * inner + k, at = r * inner + k;
                        const T total = y[line];
                        dx[at] = total == nothing ? T(0) : dy[line] * std::exp(x[at] - total);
                      });
}

void softmax_fwd(Device& device, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { softmax<T>(context, x, view, scale, y); });
}
void softmax_bwd(Device& device, const Tensor& y, const Axis& view, double scale, const Tensor& dy,
                 Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() { softmax_gradient<T>(context, y, view, scale, dy, dx); });
}
void log_softmax_fwd(Device& device, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { log_softmax<T>(context, x, view, scale, y); });
}
void log_softmax_bwd(Device& device, const Tensor& y, const Axis& view, double scale,
                     const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(),
              [&]<class T>() { log_softmax_gradient<T>(context, y, view, scale, dy, dx); });
}
void logsumexp_fwd(Device& device, const Tensor& x, const Axis& view, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { logsumexp<T>(context, x, view, y); });
}
void logsumexp_bwd(Device& device, const Tensor& x, const Tensor& y, const Axis& view,
                   const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { logsumexp_gradient<T>(context, x, y, view, dy, dx); });
}

const bool added = kernel::softmax_fwd.add(Backend::cuda, softmax_fwd) &&
                   kernel::softmax_bwd.add(Backend::cuda, softmax_bwd) &&
                   kernel::log_softmax_fwd.add(Backend::cuda, log_softmax_fwd) &&
                   kernel::log_softmax_bwd.add(Backend::cuda, log_softmax_bwd) &&
                   kernel::logsumexp_fwd.add(Backend::cuda, logsumexp_fwd) &&
                   kernel::logsumexp_bwd.add(Backend::cuda, logsumexp_bwd);

}  // namespace
}  // namespace dml
