#include "engine/cuda/reduce.cuh"
#include "ops/sum.hpp"

namespace dml {
namespace {

using Total = cuda::Sum<double>;

template <class T>
void sum_all(cuda::Context& context, const T* x, std::int64_t n, double scale, T* y) {
  cuda::reduce_all<Total>(
      context, n,
      [=] __device__(Total & part, std::int64_t i) { part.value += static_cast<double>(x[i]); },
      [=] __device__(const Total& total) { *y = static_cast<T>(scale * total.value); });
}

template <class T>
void sum_rows(cuda::Context& context, const T* x, const Axis& view, double scale, T* y) {
  const std::int64_t length = view.length;
  cuda::for_each_row(context, view.outer, length, [=] __device__(std::int64_t row) {
    double total = 0;
    for (std::int64_t i = threadIdx.x; i < length; i += blockDim.x)
      total += static_cast<double>(x[row * length + i]);
    total = cuda::block_sum(total);
    if (threadIdx.x == 0) y[row] = static_cast<T>(scale * total);
  });
}

template <class T>
void sum_columns(cuda::Context& context, const T* x, const Axis& view, double scale, T* y) {
  const std::int64_t columns = view.inner;
  for (std::int64_t o = 0; o < view.outer; ++o) {
    const T* from = x + o * view.length * columns;
    T* to = y + o * columns;
    cuda::reduce_columns<Total>(
        context, view.length, columns,
        [=] __device__(Total & part, std::int64_t r, std::int64_t c) {
          part.value += static_cast<double>(from[r * columns + c]);
        },
        [=] __device__(const Total& total, std::int64_t c) {
          to[c] = static_cast<T>(scale * total.value);
        });
  }
}

/// One thread per line: for many lines, or short ones.
template <class T>
void sum_lines(cuda::Context& context, const T* x, const Axis& view, double scale, T* y) {
  const Axis v = view;
  cuda::for_each_cell(context, view.outer, view.inner,
                      [=] __device__(std::int64_t o, std::int64_t k) {
                        const T* line = x + o * v.length * v.inner + k;
                        double total = 0;
                        for (std::int64_t i = 0; i < v.length; ++i)
                          total += static_cast<double>(line[i * v.inner]);
                        y[o * v.inner + k] = static_cast<T>(scale * total);
                      });
}

template <class T>
void choose(cuda::Context& context, const Tensor& in, const Axis& view, double scale, Tensor& out) {
  const T* x = in.raw<T>();
  T* y = out.raw<T>();
  constexpr std::int64_t few = 4;  // slices, each a launch
  if (view.lines() == 1) return sum_all<T>(context, x, view.length, scale, y);
  if (view.inner == 1) return sum_rows<T>(context, x, view, scale, y);
  if (view.outer <= few) return sum_columns<T>(context, x, view, scale, y);
  sum_lines<T>(context, x, view, scale, y);
}

void sum(Device& device, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { choose<T>(context, x, view, scale, y); });
}

const bool sum_added = kernel::sum.add(Backend::cuda, sum);

}  // namespace
}  // namespace dml
