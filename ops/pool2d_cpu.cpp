#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "engine/cpu/parallel.hpp"
#include "ops/pool2d.hpp"

namespace dml {
namespace {

/// Input rows (or columns) of one window: first, first + step, ... below last.
struct Run {
  std::int64_t first, last, step;
};

Run window_run(std::int64_t o, std::int64_t size, const Pool2dOptions& options, std::size_t axis) {
  const std::int64_t step = options.dilation[axis];
  std::int64_t first = o * options.stride[axis] - options.pad[axis];
  const std::int64_t last = std::min(first + step * (options.kernel[axis] - 1) + 1, size);
  if (first < 0) first += (-first + step - 1) / step * step;
  return {first, last, step};
}

/// 1 / (how many elements of window (p, q) on a map of h x w count).
float share_of(std::int64_t p, std::int64_t q, std::int64_t h, std::int64_t w,
               const Pool2dOptions& options) {
  const auto counted = [&](std::int64_t o, std::int64_t size, std::size_t axis) {
    const std::int64_t pad = options.pad[axis];
    const std::int64_t first = o * options.stride[axis] - pad, last = first + options.kernel[axis];
    if (options.count_include_pad) return std::min(last, size + pad) - first;
    return std::min(last, size) - std::max<std::int64_t>(first, 0);
  };
  return 1.0F / static_cast<float>(counted(p, h, 0) * counted(q, w, 1));
}

/// Calls body(image, row) for all rows of the maps of x, on the threads.
template <class Body> void every_row(Device& device, const Tensor& x, const Body& body) {
  const std::int64_t h = x.dim(1), row = x.dim(2) * x.dim(3);
  cpu::parallel_for(device.threads(), x.dim(0) * h, 1 + (1 << 13) / (row + 1),
                    [&](std::int64_t first, std::int64_t last) {
                      for (std::int64_t i = first; i < last; ++i) body(i / h, i % h);
                    });
}

/// The pixels of a stack of maps, for inner loops.
template <class T> struct Map {
  T* first;
  std::int64_t h, w, c, pitch;

  explicit Map(const Tensor& x)
      : first(x.raw<std::remove_const_t<T>>()),
        h(x.dim(1)),
        w(x.dim(2)),
        c(x.dim(3)),
        pitch(x.pitch()) {}
  /// The first channel of a pixel.
  T* at(std::int64_t image, std::int64_t row, std::int64_t column) const {
    return first + ((image * h + row) * w + column) * pitch;
  }
};
using Input = Map<const float>;
using Output = Map<float>;

/// Channels whose running maximum stays in registers or the first-level cache.
constexpr std::int64_t strip = 64;

/// The maximum, and its place, over one window for channels [from, from + width).
template <bool keep>
void maximum(const Input& x, std::int64_t image, Run rows, Run columns, std::int64_t from,
             std::int64_t width, float* y, std::int32_t* index) {
  alignas(64) float best[strip];
  alignas(64) std::int32_t place[strip];
  std::fill_n(best, strip, -std::numeric_limits<float>::infinity());
  // The first element stands when all are minus infinity.
  const bool empty = rows.first >= rows.last || columns.first >= columns.last;
  std::fill_n(place, strip,
              empty ? -1 : static_cast<std::int32_t>(rows.first * x.w + columns.first));
  for (std::int64_t h = rows.first; h < rows.last; h += rows.step)
    for (std::int64_t w = columns.first; w < columns.last; w += columns.step) {
      const float* in = x.at(image, h, w) + from;
      const auto here = static_cast<std::int32_t>(h * x.w + w);
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) {
        const float value = in[c];
        const bool better = value > best[c] || value != value;
        best[c] = better ? value : best[c];
        if constexpr (keep) place[c] = better ? here : place[c];
      }
    }
  std::copy_n(best, width, y + from);
  if constexpr (keep) std::copy_n(place, width, index + from);
}

void max_forward(Device& device, const Tensor& in, const Pool2dOptions& options, Tensor& out,
                 Tensor& index) {
  const Input x(in);
  const Output y(out);
  std::int32_t* places = index.defined() ? index.raw<std::int32_t>() : nullptr;
  every_row(device, out, [&](std::int64_t image, std::int64_t p) {
    const Run rows = window_run(p, x.h, options, 0);
    for (std::int64_t q = 0; q < y.w; ++q) {
      const Run columns = window_run(q, x.w, options, 1);
      for (std::int64_t c = 0; c < x.c; c += strip) {
        const std::int64_t width = std::min(strip, x.c - c);
        if (places != nullptr) {
          maximum<true>(x, image, rows, columns, c, width, y.at(image, p, q),
                        places + ((image * y.h + p) * y.w + q) * y.c);
        } else {
          maximum<false>(x, image, rows, columns, c, width, y.at(image, p, q), nullptr);
        }
      }
    }
  });
}

/// Outputs whose windows reach place `at` of the map: first .. last - 1.
Run reaching(std::int64_t at, std::int64_t outputs, const Pool2dOptions& options,
             std::size_t axis) {
  const std::int64_t stride = options.stride[axis], shifted = at + options.pad[axis];
  const std::int64_t reach = options.dilation[axis] * (options.kernel[axis] - 1);
  const std::int64_t first = shifted <= reach ? 0 : (shifted - reach + stride - 1) / stride;
  return {first, std::min(outputs, shifted / stride + 1), 1};
}

/// Each element of dx gathers from the windows that reach it, in their order: no two threads write
/// the same place, and nothing is cleared first.
void max_backward(Device& device, const Tensor& gradient, const Tensor& index,
                  const Pool2dOptions& options, Tensor& result) {
  const Input dy(gradient);
  const Output dx(result);
  const Map<const std::int32_t> places(index);
  every_row(device, result, [&](std::int64_t image, std::int64_t h) {
    const Run rows = reaching(h, dy.h, options, 0);
    for (std::int64_t w = 0; w < dx.w; ++w) {
      const Run columns = reaching(w, dy.w, options, 1);
      float* to = dx.at(image, h, w);
      const auto here = static_cast<std::int32_t>(h * dx.w + w);
      std::fill_n(to, dx.c, 0.0F);
      for (std::int64_t p = rows.first; p < rows.last; ++p)
        for (std::int64_t q = columns.first; q < columns.last; ++q) {
          const float* up = dy.at(image, p, q);
          const std::int32_t* place = places.at(image, p, q);
#pragma omp simd
          for (std::int64_t c = 0; c < dx.c; ++c) to[c] += place[c] == here ? up[c] : 0.0F;
        }
    }
  });
}

/// to = the sums of channels [0, width) over rows x columns, times share.
void average(const Input& x, std::int64_t image, Run rows, Run columns, std::int64_t from,
             std::int64_t width, float share, float* to) {
  alignas(64) float sum[strip] = {};
  for (std::int64_t h = rows.first; h < rows.last; ++h)
    for (std::int64_t w = columns.first; w < columns.last; ++w) {
      const float* in = x.at(image, h, w) + from;
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) sum[c] += in[c];
    }
  for (std::int64_t c = 0; c < width; ++c) to[c] = sum[c] * share;
}

void avg_forward(Device& device, const Tensor& in, const Pool2dOptions& options, Tensor& out) {
  const Input x(in);
  const Output y(out);
  every_row(device, out, [&](std::int64_t image, std::int64_t p) {
    const Run rows = window_run(p, x.h, options, 0);
    for (std::int64_t q = 0; q < y.w; ++q) {
      const Run columns = window_run(q, x.w, options, 1);
      const float share = share_of(p, q, x.h, x.w, options);
      for (std::int64_t c = 0; c < x.c; c += strip)
        average(x, image, rows, columns, c, std::min(strip, x.c - c), share, y.at(image, p, q) + c);
    }
  });
}

void avg_backward(Device& device, const Tensor& gradient, const Pool2dOptions& options,
                  Tensor& result) {
  const Input dy(gradient);
  const Output dx(result);
  every_row(device, result, [&](std::int64_t image, std::int64_t h) {
    const Run rows = reaching(h, dy.h, options, 0);
    for (std::int64_t w = 0; w < dx.w; ++w) {
      const Run columns = reaching(w, dy.w, options, 1);
      float* to = dx.at(image, h, w);
      std::fill_n(to, dx.c, 0.0F);
      for (std::int64_t p = rows.first; p < rows.last; ++p)
        for (std::int64_t q = columns.first; q < columns.last; ++q) {
          const float* up = dy.at(image, p, q);
          const float share = share_of(p, q, dx.h, dx.w, options);
#pragma omp simd
          for (std::int64_t c = 0; c < dx.c; ++c) to[c] += up[c] * share;
        }
    }
  });
}

const bool pool2d_cpu_added = kernel::max_pool2d_fwd.add(Backend::cpu, max_forward) &&
                              kernel::max_pool2d_bwd.add(Backend::cpu, max_backward) &&
                              kernel::avg_pool2d_fwd.add(Backend::cpu, avg_forward) &&
                              kernel::avg_pool2d_bwd.add(Backend::cpu, avg_backward);

}  // namespace
}  // namespace dml
