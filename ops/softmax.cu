#include <limits>

#include "ops/lines.cuh"
#include "ops/softmax.cuh"
#include "ops/softmax.hpp"

namespace dml {
namespace {

/// y = f(scale x) along the lines of x: `block` computes a packed line with all threads of a block,
/// `thread` one line with steps.
template <class T, class Block, class Thread>
void values(cuda::Context& context, const Tensor& in, const Axis& view, double factor, Tensor& out,
            Block block, Thread thread) {
  const T *x = in.raw<T>(), scale = static_cast<T>(factor);
  T* y = out.raw<T>();
  const std::int64_t n = view.length;
  const SoftmaxLine line{n, view.inner};
  if (n == 0) return;
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t row) { block(x + row * n, n, scale, y + row * n); },
      [=] __device__(std::int64_t, std::int64_t at) { thread(line, x + at, scale, y + at); });
}

/// dx from y and dy along the lines, likewise.
template <class T, class Block, class Thread>
void slopes(cuda::Context& context, const Tensor& out, const Axis& view, double factor,
            const Tensor& upstream, Tensor& in, Block block, Thread thread) {
  const T *y = out.raw<T>(), *dy = upstream.raw<T>(), scale = static_cast<T>(factor);
  T* dx = in.raw<T>();
  const std::int64_t n = view.length;
  const SoftmaxLine line{n, view.inner};
  if (n == 0) return;
  cuda::over_lines(
      context, view,
      [=] __device__(std::int64_t row) {
        block(y + row * n, dy + row * n, n, scale, dx + row * n);
      },
      [=] __device__(std::int64_t, std::int64_t at) {
        thread(line, y + at, dy + at, scale, dx + at);
      });
}

struct SoftmaxBlock {
  template <class T> __device__ void operator()(const T* x, std::int64_t n, T scale, T* y) const {
    const T top = cuda::block_largest(x, n);
    T total = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      y[i] = std::exp((x[i] - top) * scale);
      total += y[i];
    }
    total = cuda::block_sum(total);
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) y[i] /= total;
  }
};
struct SoftmaxThread {
  template <class T>
  __device__ void operator()(const SoftmaxLine& line, const T* x, T scale, T* y) const {
    line.softmax(x, scale, y);
  }
};
struct SoftmaxSlopeBlock {
  template <class T>
  __device__ void operator()(const T* y, const T* dy, std::int64_t n, T scale, T* dx) const {
    T along = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) along += y[i] * dy[i];
    along = cuda::block_sum(along);
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
      dx[i] = scale * y[i] * (dy[i] - along);
  }
};
struct SoftmaxSlopeThread {
  template <class T>
  __device__ void operator()(const SoftmaxLine& line, const T* y, const T* dy, T scale,
                             T* dx) const {
    line.softmax_gradient(y, dy, scale, dx);
  }
};

struct LogSoftmaxBlock {
  template <class T> __device__ void operator()(const T* x, std::int64_t n, T scale, T* y) const {
    const LogSumParts<T> total = cuda::block_log_sum(x, n, scale);
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) y[i] = total.log_share(x[i], scale);
  }
};
struct LogSoftmaxThread {
  template <class T>
  __device__ void operator()(const SoftmaxLine& line, const T* x, T scale, T* y) const {
    line.log_softmax(x, scale, y);
  }
};
struct LogSoftmaxSlopeBlock {
  template <class T>
  __device__ void operator()(const T* y, const T* dy, std::int64_t n, T scale, T* dx) const {
    T total = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) total += dy[i];
    total = cuda::block_sum(total);
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
      dx[i] = scale * (dy[i] - std::exp(y[i]) * total);
  }
};
struct LogSoftmaxSlopeThread {
  template <class T>
  __device__ void operator()(const SoftmaxLine& line, const T* y, const T* dy, T scale,
                             T* dx) const {
    line.log_softmax_gradient(y, dy, scale, dx);
  }
};

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
        const T total = cuda::block_log_sum(x + row * n, n, T(1)).whole(T(1));
        if (threadIdx.x == 0) y[row] = total;
      },
      [=] __device__(std::int64_t i, std::int64_t at) {
        y[i] = line.log_sum(x + at, T(1)).whole(T(1));
      });
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
  visit_float(x.dtype(), [&]<class T>() {
    values<T>(context, x, view, scale, y, SoftmaxBlock{}, SoftmaxThread{});
  });
}
void softmax_bwd(Device& device, const Tensor& y, const Axis& view, double scale, const Tensor& dy,
                 Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() {
    slopes<T>(context, y, view, scale, dy, dx, SoftmaxSlopeBlock{}, SoftmaxSlopeThread{});
  });
}
void log_softmax_fwd(Device& device, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() {
    values<T>(context, x, view, scale, y, LogSoftmaxBlock{}, LogSoftmaxThread{});
  });
}
void log_softmax_bwd(Device& device, const Tensor& y, const Axis& view, double scale,
                     const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(y.dtype(), [&]<class T>() {
    slopes<T>(context, y, view, scale, dy, dx, LogSoftmaxSlopeBlock{}, LogSoftmaxSlopeThread{});
  });
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

const bool softmax_added = kernel::softmax_fwd.add(Backend::cuda, softmax_fwd) &&
                           kernel::softmax_bwd.add(Backend::cuda, softmax_bwd) &&
                           kernel::log_softmax_fwd.add(Backend::cuda, log_softmax_fwd) &&
                           kernel::log_softmax_bwd.add(Backend::cuda, log_softmax_bwd) &&
                           kernel::logsumexp_fwd.add(Backend::cuda, logsumexp_fwd) &&
                           kernel::logsumexp_bwd.add(Backend::cuda, logsumexp_bwd);

}  // namespace
}  // namespace dml
