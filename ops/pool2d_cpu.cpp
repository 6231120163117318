#include <algorithm>
#include <cmath>
#include <limits>

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

/// 1 / (how many elements of windows (p, q) count).
float share_of(std::int64_t p, std::int64_t q, const Tensor& x, const Pool2dOptions& options) {
  const auto counted = [&](std::int64_t o, std::size_t axis) {
    const std::int64_t size = x.dim(static_cast<int>(axis) + 1), pad = options.pad[axis];
    const std::int64_t first = o * options.stride[axis] - pad, last = first + options.kernel[axis];
    if (options.count_include_pad) return std::min(last, size + pad) - first;
    return std::min(last, size) - std::max<std::int64_t>(first, 0);
  };
  return 1.0F / static_cast<float>(counted(p, 0) * counted(q, 1));
}

/// Calls body(image, row) for all rows of the maps of x, on the threads.
template <class Body> void every_row(Device& device, const Tensor& x, const Body& body) {
  const std::int64_t h = x.dim(1), row = x.dim(2) * x.dim(3);
  cpu::parallel_for(device.threads(), x.dim(0) * h, 1 + (1 << 13) / (row + 1),
                    [&](std::int64_t first, std::int64_t last) {
                      for (std::int64_t i = first; i < last; ++i) body(i / h, i % h);
                    });
}

template <class T> T* pixel(const Tensor& x, std::int64_t image, std::int64_t h, std::int64_t w) {
  return x.raw<T>() + ((image * x.dim(1) + h) * x.dim(2) + w) * x.pitch();
}

/// Channels whose running maximum stays in registers or the first-level cache.
constexpr std::int64_t strip = 64;

/// The maximum, and its place, over one window for channels [from, from + width).
template <bool keep>
void maximum(const Tensor& x, std::int64_t image, Run rows, Run columns, std::int64_t from,
             std::int64_t width, float* y, std::int32_t* index) {
  alignas(64) float best[strip];
  alignas(64) std::int32_t place[strip];
  std::fill_n(best, strip, -std::numeric_limits<float>::infinity());
  // The first element stands when all are minus infinity.
  const bool empty = rows.first >= rows.last || columns.first >= columns.last;
  std::fill_n(place, strip,
              empty ? -1 : static_cast<std::int32_t>(rows.first * x.dim(2) + columns.first));
  for (std::int64_t h = rows.first; h < rows.last; h += rows.step)
    for (std::int64_t w = columns.first; w < columns.last; w += columns.step) {
      const float* in = pixel<float>(x, image, h, w) + from;
      const auto here = static_cast<std::int32_t>(h * x.dim(2) + w);
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

void max_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y,
                 Tensor& index) {
  const std::int64_t channels = x.dim(3);
  every_row(device, y, [&](std::int64_t image, std::int64_t p) {
    const Run rows = window_run(p, x.dim(1), options, 0);
    for (std::int64_t q = 0; q < y.dim(2); ++q) {
      const Run columns = window_run(q, x.dim(2), options, 1);
      float* out = pixel<float>(y, image, p, q);
      auto* place = index.defined() ? pixel<std::int32_t>(index, image, p, q) : nullptr;
      for (std::int64_t c = 0; c < channels; c += strip) {
        const std::int64_t width = std::min(strip, channels - c);
        place != nullptr ? maximum<true>(x, image, rows, columns, c, width, out, place)
                         : maximum<false>(x, image, rows, columns, c, width, out, nullptr);
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
void max_backward(Device& device, const Tensor& dy, const Tensor& index,
                  const Pool2dOptions& options, Tensor& dx) {
  const std::int64_t channels = dx.dim(3);
  every_row(device, dx, [&](std::int64_t image, std::int64_t h) {
    const Run rows = reaching(h, dy.dim(1), options, 0);
    for (std::int64_t w = 0; w < dx.dim(2); ++w) {
      const Run columns = reaching(w, dy.dim(2), options, 1);
      float* to = pixel<float>(dx, image, h, w);
      const auto here = static_cast<std::int32_t>(h * dx.dim(2) + w);
      std::fill_n(to, channels, 0.0F);
      for (std::int64_t p = rows.first; p < rows.last; ++p)
        for (std::int64_t q = columns.first; q < columns.last; ++q) {
          const float* up = pixel<float>(dy, image, p, q);
          const auto* place = pixel<std::int32_t>(index, image, p, q);
#pragma omp simd
          for (std::int64_t c = 0; c < channels; ++c) to[c] += place[c] == here ? up[c] : 0.0F;
        }
    }
  });
}

void avg_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y) {
  const std::int64_t channels = x.dim(3);
  every_row(device, y, [&](std::int64_t image, std::int64_t p) {
    const Run rows = window_run(p, x.dim(1), options, 0);
    for (std::int64_t q = 0; q < y.dim(2); ++q) {
      const Run columns = window_run(q, x.dim(2), options, 1);
      const float share = share_of(p, q, x, options);
      float* out = pixel<float>(y, image, p, q);
      for (std::int64_t from = 0; from < channels; from += strip) {
        alignas(64) float sum[strip] = {};
        const std::int64_t width = std::min(strip, channels - from);
        for (std::int64_t h = rows.first; h < rows.last; ++h)
          for (std::int64_t w = columns.first; w < columns.last; ++w) {
            const float* in = pixel<float>(x, image, h, w) + from;
#pragma omp simd
            for (std::int64_t c = 0; c < width; ++c) sum[c] += in[c];
          }
        for (std::int64_t c = 0; c < width; ++c) out[from + c] = sum[c] * share;
      }
    }
  });
}

void avg_backward(Device& device, const Tensor& dy, const Pool2dOptions& options, Tensor& dx) {
  const std::int64_t channels = dx.dim(3);
  every_row(device, dx, [&](std::int64_t image, std::int64_t h) {
    const Run rows = reaching(h, dy.dim(1), options, 0);
    for (std::int64_t w = 0; w < dx.dim(2); ++w) {
      const Run columns = reaching(w, dy.dim(2), options, 1);
      float* to = pixel<float>(dx, image, h, w);
      std::fill_n(to, channels, 0.0F);
      for (std::int64_t p = rows.first; p < rows.last; ++p)
        for (std::int64_t q = columns.first; q < columns.last; ++q) {
          const float* up = pixel<float>(dy, image, p, q);
          const float share = share_of(p, q, dx, options);
#pragma omp simd
          for (std::int64_t c = 0; c < channels; ++c) to[c] += up[c] * share;
        }
    }
  });
}

const bool added = kernel::max_pool2d_fwd.add(Backend::cpu, max_forward) &&
                   kernel::max_pool2d_bwd.add(Backend::cpu, max_backward) &&
                   kernel::avg_pool2d_fwd.add(Backend::cpu, avg_forward) &&
                   kernel::avg_pool2d_bwd.add(Backend::cpu, avg_backward);

}  // namespace
}  // namespace dml
