#include <algorithm>

#include "engine/cpu/onednn.hpp"
#include "engine/cpu/parallel.hpp"
#include "ops/conv2d_columns.hpp"

namespace dml::columns {
namespace {

using cpu::onednn::multiply;

/// The windows of one group of channels of one image as the rows of a matrix [oh ow, r s c].
struct Windows {
  std::int64_t h, w, channels, r, s, c, oh, ow;
  Conv2dOptions options;

  Windows(const Shape& x, const Shape& weight, const Shape& y, const Conv2dOptions& o)
      : h(x[1]),
        w(x[2]),
        channels(x[3]),
        r(weight[1]),
        s(weight[2]),
        c(weight[3]),
        oh(y[1]),
        ow(y[2]),
        options(o) {}

  std::int64_t rows() const { return oh * ow; }
  std::int64_t width() const { return r * s * c; }

  /// Calls tap(place in the matrix, place in the map or -1 in the padding) for all taps of output
  /// row p.
  template <class Fn> void row_of_outputs(std::int64_t p, Fn&& tap) const {
    for (std::int64_t q = 0; q < ow; ++q)
      for (std::int64_t i = 0; i < r; ++i)
        for (std::int64_t j = 0; j < s; ++j) {
          const std::int64_t y = p * options.stride[0] - options.pad[0] + i * options.dilation[0];
          const std::int64_t x = q * options.stride[1] - options.pad[1] + j * options.dilation[1];
          const bool inside = y >= 0 && y < h && x >= 0 && x < w;
          tap(((p * ow + q) * r * s + i * s + j) * c, inside ? (y * w + x) * channels : -1);
        }
  }

  void gather(int threads, const float* map, float* matrix) const {
    cpu::parallel_for(threads, oh, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t p = first; p < last; ++p)
        row_of_outputs(p, [&](std::int64_t to, std::int64_t from) {
          if (from >= 0) {
            std::copy_n(map + from, c, matrix + to);
          } else {
            std::fill_n(matrix + to, c, 0.0F);
          }
        });
    });
  }
  /// Adds the rows back to where they came from. Windows overlap: one thread.
  void scatter(const float* matrix, float* map) const {
    for (std::int64_t p = 0; p < oh; ++p)
      row_of_outputs(p, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t i = 0; to >= 0 && i < c; ++i) map[to + i] += matrix[from + i];
      });
  }
};

void finish(Device& device, const Conv2dEpilogue& epilogue, Tensor& y) {
  const float* bias = epilogue.bias.defined() ? epilogue.bias.raw<float>() : nullptr;
  const float* residual = epilogue.residual.defined() ? epilogue.residual.raw<float>() : nullptr;
  if (bias == nullptr && residual == nullptr && !epilogue.relu) return;
  const std::int64_t k = y.row_length();
  cpu::parallel_for(device.threads(), y.row_count(), 1 + (1 << 14) / (k + 1),
                    [&](std::int64_t first, std::int64_t last) {
                      float* to = y.raw<float>();
                      for (std::int64_t row = first; row < last; ++row)
                        for (std::int64_t i = 0; i < k; ++i) {
                          float& value = to[row * k + i];
                          if (bias != nullptr) value += bias[i];
                          if (residual != nullptr) value += residual[row * k + i];
                          if (epilogue.relu && value < 0) value = 0;
                        }
                    });
}

}  // namespace

void forward(Device& device, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
             const Conv2dEpilogue& epilogue, Tensor& y) {
  const Windows v(x.shape(), weight.shape(), y.shape(), options);
  const std::int64_t outputs = y.dim(3), k = outputs / options.groups;
  const Tensor matrix = device.empty({v.rows(), v.width()}, DType::f32);
  for (std::int64_t image = 0; image < x.dim(0); ++image)
    for (std::int64_t g = 0; g < options.groups; ++g) {
      v.gather(device.threads(), x.raw<float>() + image * v.h * v.w * v.channels + g * v.c,
               matrix.raw<float>());
      multiply(v.rows(), k, v.width(), 1, {matrix.raw<float>(), v.width(), false},
               {weight.raw<float>() + g * k * v.width(), v.width(), true}, 0,
               y.raw<float>() + image * v.rows() * outputs + g * k, outputs);
    }
  finish(device, epilogue, y);
}

void backward_data(Device& device, const Tensor& dy, const Tensor& weight,
                   const Conv2dOptions& options, Tensor& dx) {
  const Windows v(dx.shape(), weight.shape(), dy.shape(), options);
  const std::int64_t outputs = dy.dim(3), k = outputs / options.groups;
  const Tensor matrix = device.empty({v.rows(), v.width()}, DType::f32);
  device.clear(dx);
  for (std::int64_t image = 0; image < dx.dim(0); ++image)
    for (std::int64_t g = 0; g < options.groups; ++g) {
      multiply(v.rows(), v.width(), k, 1,
               {dy.raw<float>() + image * v.rows() * outputs + g * k, outputs, false},
               {weight.raw<float>() + g * k * v.width(), v.width(), false}, 0, matrix.raw<float>(),
               v.width());
      v.scatter(matrix.raw<float>(), dx.raw<float>() + image * v.h * v.w * v.channels + g * v.c);
    }
}

void backward_weight(Device& device, const Tensor& x, const Tensor& dy,
                     const Conv2dOptions& options, Tensor& dweight) {
  const Windows v(x.shape(), dweight.shape(), dy.shape(), options);
  const std::int64_t outputs = dy.dim(3), k = outputs / options.groups;
  const Tensor matrix = device.empty({v.rows(), v.width()}, DType::f32);
  device.clear(dweight);
  for (std::int64_t image = 0; image < x.dim(0); ++image)
    for (std::int64_t g = 0; g < options.groups; ++g) {
      v.gather(device.threads(), x.raw<float>() + image * v.h * v.w * v.channels + g * v.c,
               matrix.raw<float>());
      multiply(k, v.width(), v.rows(), 1,
               {dy.raw<float>() + image * v.rows() * outputs + g * k, outputs, true},
               {matrix.raw<float>(), v.width(), false}, 1, dweight.raw<float>() + g * k * v.width(),
               v.width());
    }
}

}  // namespace dml::columns
