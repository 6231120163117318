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

/// Channels whose running maximum stays in registers or the first-level cache.
constexpr std::int64_t strip = 64;

/// to = from, rounded to the element type of the map.
template <class T> void store(const float* from, std::int64_t width, T* to) {
#pragma omp simd
  for (std::int64_t c = 0; c < width; ++c) to[c] = static_cast<T>(from[c]);
}

/// The maximum, and its place, over one window for channels [from, from + width).
template <bool keep, class T>
void maximum(const Map<const T>& x, std::int64_t image, Run rows, Run columns, std::int64_t from,
             std::int64_t width, T* y, std::int32_t* index) {
  alignas(64) float best[strip];
  alignas(64) std::int32_t place[strip];
  std::fill_n(best, strip, -std::numeric_limits<float>::infinity());
  // The first element stands when all are minus infinity.
  const bool empty = rows.first >= rows.last || columns.first >= columns.last;
  std::fill_n(place, strip,
              empty ? -1 : static_cast<std::int32_t>(rows.first * x.w + columns.first));
  for (std::int64_t h = rows.first; h < rows.last; h += rows.step)
    for (std::int64_t w = columns.first; w < columns.last; w += columns.step) {
      const T* in = x.at(image, h, w) + from;
      const auto here = static_cast<std::int32_t>(h * x.w + w);
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) {
        const auto value = static_cast<float>(in[c]);
        const bool better = value > best[c] || value != value;
        best[c] = better ? value : best[c];
        if constexpr (keep) place[c] = better ? here : place[c];
      }
    }
  store(best, width, y + from);
  if constexpr (keep) std::copy_n(place, width, index + from);
}

template <class T>
void max_values(Device& device, const Tensor& in, const Pool2dOptions& options, Tensor& out,
                Tensor& index) {
  const Map<const T> x(in);
  const Map<T> y(out);
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

void max_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y,
                 Tensor& index) {
  visit_narrow(x.dtype(), [&]<class T>() { max_values<T>(device, x, options, y, index); });
}

/// Outputs whose windows reach place `at` of the map: first .. last - 1.
Run reaching(std::int64_t at, std::int64_t outputs, const Pool2dOptions& options,
             std::size_t axis) {
  const std::int64_t stride = options.stride[axis], shifted = at + options.pad[axis];
  const std::int64_t reach = options.dilation[axis] * (options.kernel[axis] - 1);
  const std::int64_t first = shifted <= reach ? 0 : (shifted - reach + stride - 1) / stride;
  return {first, std::min(outputs, shifted / stride + 1), 1};
}

/// dx of a pooling: each element gathers from the windows that reach it, in their order, so that no
/// two threads write the same place and nothing is cleared first. add(sum, image, p, q, here, from,
/// width) adds what window (p, q) gives to channels [from, from + width) of place `here`.
template <class T, class Add>
void gather(Device& device, const Tensor& gradient, const Pool2dOptions& options, Tensor& result,
            const Add& add) {
  const Map<T> dx(result);
  const std::int64_t oh = gradient.dim(1), ow = gradient.dim(2);
  every_row(device, result, [&](std::int64_t image, std::int64_t h) {
    const Run rows = reaching(h, oh, options, 0);
    for (std::int64_t w = 0; w < dx.w; ++w) {
      const Run columns = reaching(w, ow, options, 1);
      for (std::int64_t from = 0; from < dx.c; from += strip) {
        alignas(64) float sum[strip] = {};
        const std::int64_t width = std::min(strip, dx.c - from);
        for (std::int64_t p = rows.first; p < rows.last; ++p)
          for (std::int64_t q = columns.first; q < columns.last; ++q)
            add(sum, image, p, q, static_cast<std::int32_t>(h * dx.w + w), from, width);
        store(sum, width, dx.at(image, h, w) + from);
      }
    }
  });
}

void max_backward(Device& device, const Tensor& gradient, const Tensor& index,
                  const Pool2dOptions& options, Tensor& result) {
  const Map<const std::int32_t> places(index);
  visit_narrow(result.dtype(), [&]<class T>() {
    const Map<const T> dy(gradient);
    gather<T>(device, gradient, options, result,
              [&](float* sum, std::int64_t image, std::int64_t p, std::int64_t q, std::int32_t here,
                  std::int64_t from, std::int64_t width) {
                const T* up = dy.at(image, p, q) + from;
                const std::int32_t* place = places.at(image, p, q) + from;
#pragma omp simd
                for (std::int64_t c = 0; c < width; ++c)
                  sum[c] += place[c] == here ? static_cast<float>(up[c]) : 0.0F;
              });
  });
}

/// to = the sums of channels [0, width) over rows x columns, times share.
template <class T>
void average(const Map<const T>& x, std::int64_t image, Run rows, Run columns, std::int64_t from,
             std::int64_t width, float share, T* to) {
  alignas(64) float sum[strip] = {};
  for (std::int64_t h = rows.first; h < rows.last; ++h)
    for (std::int64_t w = columns.first; w < columns.last; ++w) {
      const T* in = x.at(image, h, w) + from;
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) sum[c] += static_cast<float>(in[c]);
    }
  for (std::int64_t c = 0; c < width; ++c) to[c] = static_cast<T>(sum[c] * share);
}

template <class T>
void avg_values(Device& device, const Tensor& in, const Pool2dOptions& options, Tensor& out) {
  const Map<const T> x(in);
  const Map<T> y(out);
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

void avg_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y) {
  visit_narrow(x.dtype(), [&]<class T>() { avg_values<T>(device, x, options, y); });
}

void avg_backward(Device& device, const Tensor& gradient, const Pool2dOptions& options,
                  Tensor& result) {
  const std::int64_t h = result.dim(1), w = result.dim(2);
  visit_narrow(result.dtype(), [&]<class T>() {
    const Map<const T> dy(gradient);
    gather<T>(device, gradient, options, result,
              [&](float* sum, std::int64_t image, std::int64_t p, std::int64_t q, std::int32_t,
                  std::int64_t from, std::int64_t width) {
                const T* up = dy.at(image, p, q) + from;
                const float share = share_of(p, q, h, w, options);
#pragma omp simd
                for (std::int64_t c = 0; c < width; ++c)
                  sum[c] += static_cast<float>(up[c]) * share;
              });
  });
}

const bool pool2d_cpu_added = kernel::max_pool2d_fwd.add(Backend::cpu, max_forward) &&
                              kernel::max_pool2d_bwd.add(Backend::cpu, max_backward) &&
                              kernel::avg_pool2d_fwd.add(Backend::cpu, avg_forward) &&
                              kernel::avg_pool2d_bwd.add(Backend::cpu, avg_backward) &&
                              kernel::max_pool2d_fwd.takes_bf16(Backend::cpu) &&
                              kernel::max_pool2d_bwd.takes_bf16(Backend::cpu) &&
                              kernel::avg_pool2d_fwd.takes_bf16(Backend::cpu) &&
                              kernel::avg_pool2d_bwd.takes_bf16(Backend::cpu);

}  // namespace
}  // namespace dml
