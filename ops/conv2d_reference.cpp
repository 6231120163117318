#include <algorithm>
#include <vector>

#include "engine/convert.hpp"
#include "ops/conv2d.hpp"

namespace dml {
namespace {

/// The sizes of a convolution, and where a tap of the window meets the map.
struct Geometry {
  std::int64_t n, h, w, c, k, r, s, oh, ow, c_of_group, k_of_group;
  Conv2dOptions options;

  Geometry(const Shape& x, const Shape& weight, const Shape& y, const Conv2dOptions& o)
      : n(x[0]),
        h(x[1]),
        w(x[2]),
        c(x[3]),
        k(weight[0]),
        r(weight[1]),
        s(weight[2]),
        oh(y[1]),
        ow(y[2]),
        c_of_group(weight[3]),
        k_of_group(weight[0] / o.groups),
        options(o) {}

  std::int64_t row(std::int64_t p, std::int64_t i) const {
    return p * options.stride[0] - options.pad[0] + i * options.dilation[0];
  }
  std::int64_t column(std::int64_t q, std::int64_t j) const {
    return q * options.stride[1] - options.pad[1] + j * options.dilation[1];
  }
  bool inside(std::int64_t y, std::int64_t x) const { return y >= 0 && y < h && x >= 0 && x < w; }

  /// Calls tap(i, j, pixel of x) for the taps of the window of output (p, q) that are inside.
  template <class Fn>
  void window(std::int64_t image, std::int64_t p, std::int64_t q, Fn&& tap) const {
    for (std::int64_t i = 0; i < r; ++i)
      for (std::int64_t j = 0; j < s; ++j)
        if (inside(row(p, i), column(q, j))) tap(i, j, (image * h + row(p, i)) * w + column(q, j));
  }
};

template <class T> double dot(const T* a, const T* b, std::int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

template <class T> void add_scaled(double factor, const T* from, double* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] += factor * static_cast<double>(from[i]);
}

template <class T> void store(const std::vector<double>& from, T* to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<T>(from[i]);
}

/// Calls each(image, row, column, pixel number) for all pixels of n maps of h x w.
template <class Fn> void every_pixel(std::int64_t n, std::int64_t h, std::int64_t w, Fn&& each) {
  for (std::int64_t image = 0; image < n; ++image)
    for (std::int64_t p = 0; p < h; ++p)
      for (std::int64_t q = 0; q < w; ++q) each(image, p, q, (image * h + p) * w + q);
}

template <class T>
void forward_of(const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
                const Conv2dEpilogue& epilogue, Tensor& y) {
  const Geometry g(x.shape(), weight.shape(), y.shape(), options);
  const T *in = x.raw<T>(), *taps = weight.raw<T>();
  const T* bias = epilogue.bias.defined() ? epilogue.bias.raw<T>() : nullptr;
  const T* residual = epilogue.residual.defined() ? epilogue.residual.raw<T>() : nullptr;
  std::vector<double> sums(static_cast<std::size_t>(g.k));
  every_pixel(g.n, g.oh, g.ow,
              [&](std::int64_t image, std::int64_t p, std::int64_t q, std::int64_t at) {
                for (std::int64_t k = 0; k < g.k; ++k) {
                  double sum = bias != nullptr ? static_cast<double>(bias[k]) : 0.0;
                  g.window(image, p, q, [&](std::int64_t i, std::int64_t j, std::int64_t pixel) {
                    sum += dot(in + pixel * g.c + k / g.k_of_group * g.c_of_group,
                               taps + ((k * g.r + i) * g.s + j) * g.c_of_group, g.c_of_group);
                  });
                  if (residual != nullptr) sum += static_cast<double>(residual[at * g.k + k]);
                  // Written so that NaN passes through, as in a separate ReLU.
                  sums[static_cast<std::size_t>(k)] = epilogue.relu && sum < 0 ? 0.0 : sum;
                }
                store(sums, y.raw<T>() + at * g.k);
              });
}

template <class T>
void backward_data_of(const Tensor& dy, const Tensor& weight, const Conv2dOptions& options,
                      Tensor& dx) {
  const Geometry g(dx.shape(), weight.shape(), dy.shape(), options);
  std::vector<double> sums(static_cast<std::size_t>(g.c));
  /// The outputs along one axis of which a window's tap `i` falls on `at`: one, or none (-1).
  const auto output = [](std::int64_t at, std::int64_t shift, int stride, std::int64_t size) {
    const std::int64_t steps = at + shift;
    return steps < 0 || steps % stride != 0 || steps / stride >= size ? -1 : steps / stride;
  };
  every_pixel(
      g.n, g.h, g.w, [&](std::int64_t image, std::int64_t h, std::int64_t w, std::int64_t at) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (std::int64_t i = 0; i < g.r; ++i) {
          const std::int64_t p =
              output(h, options.pad[0] - i * options.dilation[0], options.stride[0], g.oh);
          for (std::int64_t j = 0; p >= 0 && j < g.s; ++j) {
            const std::int64_t q =
                output(w, options.pad[1] - j * options.dilation[1], options.stride[1], g.ow);
            if (q < 0) continue;
            const T* up = dy.raw<T>() + ((image * g.oh + p) * g.ow + q) * g.k;
            for (std::int64_t k = 0; k < g.k; ++k)
              add_scaled(static_cast<double>(up[k]),
                         weight.raw<T>() + ((k * g.r + i) * g.s + j) * g.c_of_group,
                         sums.data() + k / g.k_of_group * g.c_of_group, g.c_of_group);
          }
        }
        store(sums, dx.raw<T>() + at * g.c);
      });
}

template <class T>
void backward_weight_of(const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                        Tensor& dweight, Tensor& dbias) {
  const Geometry g(x.shape(), dweight.shape(), dy.shape(), options);
  std::vector<double> sums(static_cast<std::size_t>(g.r * g.s * g.c_of_group));
  for (std::int64_t k = 0; k < g.k; ++k) {
    double bias = 0;
    std::fill(sums.begin(), sums.end(), 0.0);
    every_pixel(g.n, g.oh, g.ow,
                [&](std::int64_t image, std::int64_t p, std::int64_t q, std::int64_t at) {
                  const auto up = static_cast<double>(dy.raw<T>()[at * g.k + k]);
                  bias += up;
                  g.window(image, p, q, [&](std::int64_t i, std::int64_t j, std::int64_t pixel) {
                    add_scaled(up, x.raw<T>() + pixel * g.c + k / g.k_of_group * g.c_of_group,
                               sums.data() + (i * g.s + j) * g.c_of_group, g.c_of_group);
                  });
                });
    store(sums, dweight.raw<T>() + k * g.r * g.s * g.c_of_group);
    if (dbias.defined()) dbias.raw<T>()[k] = static_cast<T>(bias);
  }
}

void forward(Device& device, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
             const Conv2dEpilogue& epilogue, Tensor& y) {
  Conv2dEpilogue wide = epilogue;  // bf16 comes as f32, but not inside of a struct
  wide.residual = widen(device, epilogue.residual);
  visit_float(x.dtype(), [&]<class T>() { forward_of<T>(x, weight, options, wide, y); });
}
void backward_data(Device&, const Tensor& dy, const Tensor& weight, const Conv2dOptions& options,
                   Tensor& dx) {
  visit_float(dy.dtype(), [&]<class T>() { backward_data_of<T>(dy, weight, options, dx); });
}
void backward_weight(Device&, const Tensor& x, const Tensor& dy, const Conv2dOptions& options,
                     Tensor& dweight, Tensor& dbias) {
  visit_float(x.dtype(), [&]<class T>() { backward_weight_of<T>(x, dy, options, dweight, dbias); });
}

const bool conv2d_reference_added =
    kernel::conv2d_fwd.add(Backend::reference, forward) &&
    kernel::conv2d_bwd_data.add(Backend::reference, backward_data) &&
    kernel::conv2d_bwd_weight.add(Backend::reference, backward_weight);

}  // namespace
}  // namespace dml
