#include <cmath>

#include "engine/cuda/launch.cuh"
#include "ops/pool2d.hpp"

namespace dml {
namespace {

/// One axis of a pooling: where windows lie, and which windows hold an element.
struct Axis {
  std::int64_t size, outputs;  // elements and windows
  std::int64_t kernel, stride, pad, dilation;
  bool count_pad;

  /// The elements of window o inside the map: first, first + dilation, ... below last.
  __device__ std::int64_t first(std::int64_t o) const {
    std::int64_t at = o * stride - pad;
    while (at < 0) at += dilation;
    return at;
  }
  __device__ std::int64_t last(std::int64_t o) const {
    const std::int64_t end = o * stride - pad + dilation * (kernel - 1) + 1;
    return end < size ? end : size;
  }
  /// How many elements of window o count in its average.
  __device__ std::int64_t counted(std::int64_t o) const {
    const std::int64_t begin = o * stride - pad, end = begin + kernel;
    const std::int64_t limit = count_pad ? size + pad : size;
    return (end < limit ? end : limit) - (count_pad || begin > 0 ? begin : 0);
  }
  /// The window whose tap `tap` falls on element `at`, or -1.
  __device__ std::int64_t window_of(std::int64_t at, std::int64_t tap) const {
    const std::int64_t from = at + pad - tap * dilation;
    return from < 0 || from % stride != 0 || from / stride >= outputs ? -1 : from / stride;
  }
};

/// One axis of an adaptive pooling: cell o covers floor(o size / cells) .. ceil((o+1) size /
/// cells).
struct Cells {
  std::int64_t size, cells;

  __device__ std::int64_t first(std::int64_t o) const { return o * size / cells; }
  __device__ std::int64_t last(std::int64_t o) const {
    return ((o + 1) * size + cells - 1) / cells;
  }
  __device__ std::int64_t length(std::int64_t o) const { return last(o) - first(o); }
  /// The cells that cover element `at`: from first_cell to last_cell - 1.
  __device__ std::int64_t first_cell(std::int64_t at) const { return at * cells / size; }
  __device__ std::int64_t last_cell(std::int64_t at) const {
    return ((at + 1) * cells + size - 1) / size;
  }
};

Axis axis_of(const Tensor& map, const Tensor& pooled, const Pool2dOptions& o, std::size_t axis) {
  const int dim = 1 + static_cast<int>(axis);
  return {map.dim(dim), pooled.dim(dim),  o.kernel[axis],     o.stride[axis],
          o.pad[axis],  o.dilation[axis], o.count_include_pad};
}
Cells cells_of(const Tensor& map, const Tensor& pooled, int dim) {
  return {map.dim(dim), pooled.dim(dim)};
}

/// A pixel number of [n, h, w] taken apart.
struct Place {
  std::int64_t image, row, column;
};
__device__ Place place_of(std::int64_t pixel, std::int64_t height, std::int64_t width) {
  const std::int64_t line = pixel / width;
  return {line / height, line % height, pixel % width};
}

/// Maximum over rows [h0, h1) and columns [w0, w1) with steps; its place, -1 for none.
template <class T> struct Best {
  T value;
  std::int32_t place;
};
template <class T>
__device__ Best<T> best_of(const T* x, std::int64_t pitch, std::int64_t width, std::int64_t h0,
                           std::int64_t h1, std::int64_t h_step, std::int64_t w0, std::int64_t w1,
                           std::int64_t w_step) {
  Best<T> best{-static_cast<T>(INFINITY), -1};
  for (std::int64_t h = h0; h < h1; h += h_step)
    for (std::int64_t w = w0; w < w1; w += w_step) {
      const T value = x[(h * width + w) * pitch];
      if (value > best.value || value != value || best.place < 0)
        best = {value, static_cast<std::int32_t>(h * width + w)};
    }
  return best;
}

template <class T>
void max_values(cuda::Context& context, const Tensor& x, const Pool2dOptions& options, Tensor& y,
                Tensor& index) {
  const Axis down = axis_of(x, y, options, 0), across = axis_of(x, y, options, 1);
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  std::int32_t* places = index.defined() ? index.raw<std::int32_t>() : nullptr;
  const std::int64_t channels = x.dim(3), x_pitch = x.pitch(), y_pitch = y.pitch();
  cuda::for_each_cell(
      context, y.row_count(), channels, [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, down.outputs, across.outputs);
        const T* image = from + at.image * down.size * across.size * x_pitch + c;
        const Best<T> best = best_of(image, x_pitch, across.size, down.first(at.row),
                                     down.last(at.row), down.dilation, across.first(at.column),
                                     across.last(at.column), across.dilation);
        to[r * y_pitch + c] = best.value;
        if (places != nullptr) places[r * channels + c] = best.place;
      });
}

template <class T>
void max_slopes(cuda::Context& context, const Tensor& dy, const Tensor& index,
                const Pool2dOptions& options, Tensor& dx) {
  const Axis down = axis_of(dx, dy, options, 0), across = axis_of(dx, dy, options, 1);
  const T* from = dy.raw<T>();
  const std::int32_t* places = index.raw<std::int32_t>();
  T* to = dx.raw<T>();
  const std::int64_t channels = dx.dim(3), dy_pitch = dy.pitch(), dx_pitch = dx.pitch();
  // Each element collects from the windows that hold it, in the order of the windows.
  cuda::for_each_cell(
      context, dx.row_count(), channels, [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, down.size, across.size);
        const std::int64_t own = at.row * across.size + at.column;
        T sum = 0;
        for (std::int64_t i = down.kernel - 1; i >= 0; --i) {
          const std::int64_t p = down.window_of(at.row, i);
          for (std::int64_t j = across.kernel - 1; p >= 0 && j >= 0; --j) {
            const std::int64_t q = across.window_of(at.column, j);
            if (q < 0) continue;
            const std::int64_t window = (at.image * down.outputs + p) * across.outputs + q;
            if (places[window * channels + c] == own) sum += from[window * dy_pitch + c];
          }
        }
        to[r * dx_pitch + c] = sum;
      });
}

template <class T>
void avg_values(cuda::Context& context, const Tensor& x, const Pool2dOptions& options, Tensor& y) {
  const Axis down = axis_of(x, y, options, 0), across = axis_of(x, y, options, 1);
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  const std::int64_t x_pitch = x.pitch(), y_pitch = y.pitch();
  cuda::for_each_cell(
      context, y.row_count(), x.dim(3), [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, down.outputs, across.outputs);
        const T* image = from + at.image * down.size * across.size * x_pitch + c;
        T sum = 0;
        for (std::int64_t h = down.first(at.row); h < down.last(at.row); ++h)
          for (std::int64_t w = across.first(at.column); w < across.last(at.column); ++w)
            sum += image[(h * across.size + w) * x_pitch];
        to[r * y_pitch + c] =
            sum / static_cast<T>(down.counted(at.row) * across.counted(at.column));
      });
}

template <class T>
void avg_slopes(cuda::Context& context, const Tensor& dy, const Pool2dOptions& options,
                Tensor& dx) {
  const Axis down = axis_of(dx, dy, options, 0), across = axis_of(dx, dy, options, 1);
  const T* from = dy.raw<T>();
  T* to = dx.raw<T>();
  const std::int64_t dy_pitch = dy.pitch(), dx_pitch = dx.pitch();
  cuda::for_each_cell(
      context, dx.row_count(), dx.dim(3), [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, down.size, across.size);
        T sum = 0;
        for (std::int64_t i = down.kernel - 1; i >= 0; --i) {
          const std::int64_t p = down.window_of(at.row, i);
          for (std::int64_t j = across.kernel - 1; p >= 0 && j >= 0; --j) {
            const std::int64_t q = across.window_of(at.column, j);
            if (q < 0) continue;
            const std::int64_t window = (at.image * down.outputs + p) * across.outputs + q;
            sum +=
                from[window * dy_pitch + c] / static_cast<T>(down.counted(p) * across.counted(q));
          }
        }
        to[r * dx_pitch + c] = sum;
      });
}

template <class T> void adaptive_avg_values(cuda::Context& context, const Tensor& x, Tensor& y) {
  const Cells down = cells_of(x, y, 1), across = cells_of(x, y, 2);
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  const std::int64_t x_pitch = x.pitch(), y_pitch = y.pitch();
  cuda::for_each_cell(
      context, y.row_count(), x.dim(3), [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, down.cells, across.cells);
        const T* image = from + at.image * down.size * across.size * x_pitch + c;
        T sum = 0;
        for (std::int64_t h = down.first(at.row); h < down.last(at.row); ++h)
          for (std::int64_t w = across.first(at.column); w < across.last(at.column); ++w)
            sum += image[(h * across.size + w) * x_pitch];
        to[r * y_pitch + c] = sum / static_cast<T>(down.length(at.row) * across.length(at.column));
      });
}

template <class T> void adaptive_avg_slopes(cuda::Context& context, const Tensor& dy, Tensor& dx) {
  const Cells down = cells_of(dx, dy, 1), across = cells_of(dx, dy, 2);
  const T* from = dy.raw<T>();
  T* to = dx.raw<T>();
  const std::int64_t dy_pitch = dy.pitch(), dx_pitch = dx.pitch();
  cuda::for_each_cell(
      context, dx.row_count(), dx.dim(3), [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, down.size, across.size);
        T sum = 0;
        for (std::int64_t p = down.first_cell(at.row); p < down.last_cell(at.row); ++p)
          for (std::int64_t q = across.first_cell(at.column); q < across.last_cell(at.column); ++q)
            sum += from[((at.image * down.cells + p) * across.cells + q) * dy_pitch + c] /
                   static_cast<T>(down.length(p) * across.length(q));
        to[r * dx_pitch + c] = sum;
      });
}

template <class T>
void adaptive_max_values(cuda::Context& context, const Tensor& x, Tensor& y, Tensor& index) {
  const Cells down = cells_of(x, y, 1), across = cells_of(x, y, 2);
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  std::int32_t* places = index.defined() ? index.raw<std::int32_t>() : nullptr;
  const std::int64_t channels = x.dim(3), x_pitch = x.pitch(), y_pitch = y.pitch();
  cuda::for_each_cell(
      context, y.row_count(), channels, [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, down.cells, across.cells);
        const T* image = from + at.image * down.size * across.size * x_pitch + c;
        const Best<T> best =
            best_of(image, x_pitch, across.size, down.first(at.row), down.last(at.row), 1,
                    across.first(at.column), across.last(at.column), 1);
        to[r * y_pitch + c] = best.value;
        if (places != nullptr) places[r * channels + c] = best.place;
      });
}

template <class T>
void adaptive_max_slopes(cuda::Context& context, const Tensor& dy, const Tensor& index,
                         Tensor& dx) {
  const Cells down = cells_of(dx, dy, 1), across = cells_of(dx, dy, 2);
  const T* from = dy.raw<T>();
  const std::int32_t* places = index.raw<std::int32_t>();
  T* to = dx.raw<T>();
  const std::int64_t channels = dx.dim(3), dy_pitch = dy.pitch(), dx_pitch = dx.pitch();
  cuda::for_each_cell(
      context, dx.row_count(), channels, [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, down.size, across.size);
        const std::int64_t own = at.row * across.size + at.column;
        T sum = 0;
        for (std::int64_t p = down.first_cell(at.row); p < down.last_cell(at.row); ++p)
          for (std::int64_t q = across.first_cell(at.column); q < across.last_cell(at.column);
               ++q) {
            const std::int64_t window = (at.image * down.cells + p) * across.cells + q;
            if (places[window * channels + c] == own) sum += from[window * dy_pitch + c];
          }
        to[r * dx_pitch + c] = sum;
      });
}

void max_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y,
                 Tensor& index) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { max_values<T>(context, x, options, y, index); });
}
void max_backward(Device& device, const Tensor& dy, const Tensor& index,
                  const Pool2dOptions& options, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(dx.dtype(), [&]<class T>() { max_slopes<T>(context, dy, index, options, dx); });
}
void avg_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { avg_values<T>(context, x, options, y); });
}
void avg_backward(Device& device, const Tensor& dy, const Pool2dOptions& options, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(dx.dtype(), [&]<class T>() { avg_slopes<T>(context, dy, options, dx); });
}
void adaptive_avg_forward(Device& device, const Tensor& x, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { adaptive_avg_values<T>(context, x, y); });
}
void adaptive_avg_backward(Device& device, const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(dx.dtype(), [&]<class T>() { adaptive_avg_slopes<T>(context, dy, dx); });
}
void adaptive_max_forward(Device& device, const Tensor& x, Tensor& y, Tensor& index) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { adaptive_max_values<T>(context, x, y, index); });
}
void adaptive_max_backward(Device& device, const Tensor& dy, const Tensor& index, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(dx.dtype(), [&]<class T>() { adaptive_max_slopes<T>(context, dy, index, dx); });
}

const bool added = kernel::max_pool2d_fwd.add(Backend::cuda, max_forward) &&
                   kernel::max_pool2d_bwd.add(Backend::cuda, max_backward) &&
                   kernel::avg_pool2d_fwd.add(Backend::cuda, avg_forward) &&
                   kernel::avg_pool2d_bwd.add(Backend::cuda, avg_backward) &&
                   kernel::adaptive_avg_pool2d_fwd.add(Backend::cuda, adaptive_avg_forward) &&
                   kernel::adaptive_avg_pool2d_bwd.add(Backend::cuda, adaptive_avg_backward) &&
                   kernel::adaptive_max_pool2d_fwd.add(Backend::cuda, adaptive_max_forward) &&
                   kernel::adaptive_max_pool2d_bwd.add(Backend::cuda, adaptive_max_backward);

}  // namespace
}  // namespace dml
