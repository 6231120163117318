#include "ops/sum.hpp"

#include <array>
#include <limits>

#include "ops/lines.hpp"
#include "ops/repeat.hpp"

namespace dml {
namespace {

/// y = scale * sum(x):   dx = scale * dy, repeated along the axis
struct Sum {
  Axis view;
  Shape result;
  double scale;
  Shape input{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    input = x.shape();
    Tensor y = device.empty(result, x.dtype());
    kernel::sum(device, x, view, scale, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(input, dy.dtype());
    kernel::repeat(device, device.dense(dy), view, scale, dx);
    return {dx};
  }
};

template <class T>
void sum_lines(const Tensor& x, const Axis& view, double scale, Tensor& y, std::int64_t first,
               std::int64_t last) {
  for (std::int64_t line = first; line < last; ++line) {
    const T* in = x.raw<T>() + view.start(line);
    double total = 0;
    for (std::int64_t i = 0; i < view.length; ++i) total += static_cast<double>(in[i * view.inner]);
    y.raw<T>()[line] = static_cast<T>(scale * total);
  }
}

void sum_reference(Device&, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  serial_lines(x.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    sum_lines<T>(x, view, scale, y, first, last);
  });
}

/// Lines that lie side by side are added 32 at a time, so that memory is read in its order.
void add_side_by_side(const float* in, const Axis& view, double scale, float* out) {
  constexpr std::int64_t width = 32;
  for (std::int64_t at = 0; at < view.inner; at += width) {
    const std::int64_t n = std::min(width, view.inner - at);
    std::array<double, width> total{};
    for (std::int64_t i = 0; i < view.length; ++i)
      for (std::int64_t k = 0; k < n; ++k)
        total[static_cast<std::size_t>(k)] += static_cast<double>(in[i * view.inner + at + k]);
    for (std::int64_t k = 0; k < n; ++k)
      out[at + k] = static_cast<float>(scale * total[static_cast<std::size_t>(k)]);
  }
}

void sum_dense_line(const float* in, std::int64_t n, double scale, float* out) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (std::int64_t i = 0; i < n; ++i) total += static_cast<double>(in[i]);
  *out = static_cast<float>(scale * total);
}

void sum_fast(Device& device, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  if (view.inner == 1) {
    threaded_lines(
        device, view.lines(), view.length, [&]<class T>(std::int64_t first, std::int64_t last) {
          for (std::int64_t line = first; line < last; ++line)
            sum_dense_line(x.raw<T>() + line * view.length, view.length, scale, y.raw<T>() + line);
        });
    return;
  }
  threaded_lines(device, view.outer, view.length * view.inner,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   for (std::int64_t o = first; o < last; ++o)
                     add_side_by_side(x.raw<T>() + o * view.length * view.inner, view, scale,
                                      y.raw<T>() + o * view.inner);
                 });
}

const bool sum_added =
    kernel::sum.add(Backend::reference, sum_reference) && kernel::sum.add(Backend::cpu, sum_fast);

double inverse(std::int64_t n) {
  return n == 0 ? std::numeric_limits<double>::quiet_NaN() : 1.0 / static_cast<double>(n);
}

}  // namespace

Var sum(const Var& x, int axis, bool keep) {
  const Axis view = axis_of(x.shape(), axis, "sum");
  return apply(Sum{view, without_axis(x.shape(), axis, keep), 1}, x);
}
Var sum(const Var& x) { return apply(Sum{whole(x.shape()), {}, 1}, x); }

Var mean(const Var& x, int axis, bool keep) {
  const Axis view = axis_of(x.shape(), axis, "mean");
  return apply(Sum{view, without_axis(x.shape(), axis, keep), inverse(view.length)}, x);
}
Var mean(const Var& x) { return apply(Sum{whole(x.shape()), {}, inverse(x.value().size())}, x); }

}  // namespace dml
