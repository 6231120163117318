#include <cmath>

#include "engine/cuda/launch.cuh"
#include "ops/pool2d.hpp"

namespace dml {
namespace {

/// One axis of a pooling with a window: where windows lie, and which windows hold an element.
struct Windows {
  std::int64_t size, outputs;  // elements and windows
  std::int64_t kernel, stride, pad, step;
  bool count_pad;

  Windows(const Tensor& map, const Tensor& pooled, const Pool2dOptions& o, std::size_t axis)
      : size(map.dim(1 + static_cast<int>(axis))),
        outputs(pooled.dim(1 + static_cast<int>(axis))),
        kernel(o.kernel[axis]),
        stride(o.stride[axis]),
        pad(o.pad[axis]),
        step(o.dilation[axis]),
        count_pad(o.count_include_pad) {}

  /// The elements of window o inside the map: first, first + step, ... below last.
  __device__ std::int64_t first(std::int64_t o) const {
    std::int64_t at = o * stride - pad;
    while (at < 0) at += step;
    return at;
  }
  __device__ std::int64_t last(std::int64_t o) const {
    const std::int64_t end = o * stride - pad + step * (kernel - 1) + 1;
    return end < size ? end : size;
  }
  /// How many elements of window o count in its average.
  __device__ std::int64_t counted(std::int64_t o) const {
    const std::int64_t begin = o * stride - pad, end = begin + kernel;
    const std::int64_t limit = count_pad ? size + pad : size;
    return (end < limit ? end : limit) - (count_pad || begin > 0 ? begin : 0);
  }
  /// Calls each(o) for the windows that hold element `at`, in their order.
  template <class Each> __device__ void holding(std::int64_t at, Each&& each) const {
    for (std::int64_t tap = kernel - 1; tap >= 0; --tap) {
      const std::int64_t from = at + pad - tap * step;
      if (from >= 0 && from % stride == 0 && from / stride < outputs) each(from / stride);
    }
  }
};

/// One axis of an adaptive pooling: cell o covers floor(o size / outputs) .. ceil((o+1) size /
/// outputs).
struct Cells {
  std::int64_t size, outputs;
  std::int64_t step = 1;

  Cells(const Tensor& map, const Tensor& pooled, int dim)
      : size(map.dim(dim)), outputs(pooled.dim(dim)) {}

  __device__ std::int64_t first(std::int64_t o) const { return o * size / outputs; }
  __device__ std::int64_t last(std::int64_t o) const {
    return ((o + 1) * size + outputs - 1) / outputs;
  }
  __device__ std::int64_t counted(std::int64_t o) const { return last(o) - first(o); }
  template <class Each> __device__ void holding(std::int64_t at, Each&& each) const {
    const std::int64_t end = ((at + 1) * outputs + size - 1) / size;
    for (std::int64_t o = at * outputs / size; o < end; ++o) each(o);
  }
};

/// A pixel number of [n, h, w] taken apart.
struct Place {
  std::int64_t image, row, column;
};
__device__ Place place_of(std::int64_t pixel, std::int64_t height, std::int64_t width) {
  const std::int64_t line = pixel / width;
  return {line / height, line % height, pixel % width};
}

/// Row and column of one pooling.
template <class View> struct Grid { View down, across; };
Grid<Windows> grid_of(const Tensor& map, const Tensor& pooled, const Pool2dOptions& options) {
  return {{map, pooled, options, 0}, {map, pooled, options, 1}};
}
Grid<Cells> grid_of(const Tensor& map, const Tensor& pooled) {
  return {{map, pooled, 1}, {map, pooled, 2}};
}

/// Calls take(value, place) for the elements of the window of `at`, row by row.
template <class View, class T, class Take>
__device__ void over_window(const Grid<View>& grid, const Place& at, const T* map,
                            std::int64_t pitch, Take&& take) {
  const std::int64_t width = grid.across.size;
  const T* image = map + at.image * grid.down.size * width * pitch;
  for (std::int64_t h = grid.down.first(at.row); h < grid.down.last(at.row); h += grid.down.step)
    for (std::int64_t w = grid.across.first(at.column); w < grid.across.last(at.column);
         w += grid.across.step)
      take(image[(h * width + w) * pitch], h * width + w);
}

/// Calls each(window, p, q) for the windows that hold the element `at`; window counts the pixels of
/// the pooled map.
template <class View, class Each>
__device__ void over_holders(const Grid<View>& grid, const Place& at, Each&& each) {
  grid.down.holding(at.row, [&](std::int64_t p) {
    grid.across.holding(at.column, [&](std::int64_t q) {
      each((at.image * grid.down.outputs + p) * grid.across.outputs + q, p, q);
    });
  });
}

template <class T, class View>
void max_values(cuda::Context& context, const Grid<View>& grid, const Tensor& x, Tensor& y,
                Tensor& index) {
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  std::int32_t* places = index.defined() ? index.raw<std::int32_t>() : nullptr;
  const std::int64_t channels = x.dim(3), x_pitch = x.pitch(), y_pitch = y.pitch();
  cuda::for_each_cell(context, y.row_count(), channels,
                      [=] __device__(std::int64_t r, std::int64_t c) {
                        const Place at = place_of(r, grid.down.outputs, grid.across.outputs);
                        Work<T> best = -static_cast<Work<T>>(INFINITY);
                        std::int64_t best_place = -1;
                        over_window(grid, at, from + c, x_pitch, [&](T stored, std::int64_t place) {
                          const auto value = static_cast<Work<T>>(stored);
                          if (value <= best && best_place >= 0)
                            return;  // NaN passes: it counts as the maximum
                          best = value;
                          best_place = place;
                        });
                        to[r * y_pitch + c] = static_cast<T>(best);
                        if (places != nullptr)
                          places[r * channels + c] = static_cast<std::int32_t>(best_place);
                      });
}

template <class T, class View>
void max_slopes(cuda::Context& context, const Grid<View>& grid, const Tensor& dy,
                const Tensor& index, Tensor& dx) {
  const T* from = dy.raw<T>();
  const std::int32_t* places = index.raw<std::int32_t>();
  T* to = dx.raw<T>();
  const std::int64_t channels = dx.dim(3), dy_pitch = dy.pitch(), dx_pitch = dx.pitch();
  // Each element collects from the windows that hold it, in the order of the windows.
  cuda::for_each_cell(
      context, dx.row_count(), channels, [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, grid.down.size, grid.across.size);
        const std::int64_t own = at.row * grid.across.size + at.column;
        Work<T> sum = 0;
        over_holders(grid, at, [&](std::int64_t window, std::int64_t, std::int64_t) {
          if (places[window * channels + c] == own)
            sum += static_cast<Work<T>>(from[window * dy_pitch + c]);
        });
        to[r * dx_pitch + c] = static_cast<T>(sum);
      });
}

template <class T, class View>
void avg_values(cuda::Context& context, const Grid<View>& grid, const Tensor& x, Tensor& y) {
  const T* from = x.raw<T>();
  T* to = y.raw<T>();
  const std::int64_t x_pitch = x.pitch(), y_pitch = y.pitch();
  cuda::for_each_cell(
      context, y.row_count(), x.dim(3), [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, grid.down.outputs, grid.across.outputs);
        Work<T> sum = 0;
        over_window(grid, at, from + c, x_pitch,
                    [&](T value, std::int64_t) { sum += static_cast<Work<T>>(value); });
        to[r * y_pitch + c] = static_cast<T>(
            sum / static_cast<Work<T>>(grid.down.counted(at.row) * grid.across.counted(at.column)));
      });
}

template <class T, class View>
void avg_slopes(cuda::Context& context, const Grid<View>& grid, const Tensor& dy, Tensor& dx) {
  const T* from = dy.raw<T>();
  T* to = dx.raw<T>();
  const std::int64_t dy_pitch = dy.pitch(), dx_pitch = dx.pitch();
  cuda::for_each_cell(
      context, dx.row_count(), dx.dim(3), [=] __device__(std::int64_t r, std::int64_t c) {
        const Place at = place_of(r, grid.down.size, grid.across.size);
        Work<T> sum = 0;
        over_holders(grid, at, [&](std::int64_t window, std::int64_t p, std::int64_t q) {
          sum += static_cast<Work<T>>(from[window * dy_pitch + c]) /
                 static_cast<Work<T>>(grid.down.counted(p) * grid.across.counted(q));
        });
        to[r * dx_pitch + c] = static_cast<T>(sum);
      });
}

void max_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y,
                 Tensor& index) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(x.dtype(),
               [&]<class T>() { max_values<T>(context, grid_of(x, y, options), x, y, index); });
}
void max_backward(Device& device, const Tensor& dy, const Tensor& index,
                  const Pool2dOptions& options, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(dx.dtype(),
               [&]<class T>() { max_slopes<T>(context, grid_of(dx, dy, options), dy, index, dx); });
}
void avg_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(x.dtype(), [&]<class T>() { avg_values<T>(context, grid_of(x, y, options), x, y); });
}
void avg_backward(Device& device, const Tensor& dy, const Pool2dOptions& options, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(dx.dtype(),
               [&]<class T>() { avg_slopes<T>(context, grid_of(dx, dy, options), dy, dx); });
}
void adaptive_avg_forward(Device& device, const Tensor& x, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(x.dtype(), [&]<class T>() { avg_values<T>(context, grid_of(x, y), x, y); });
}
void adaptive_avg_backward(Device& device, const Tensor& dy, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(dx.dtype(), [&]<class T>() { avg_slopes<T>(context, grid_of(dx, dy), dy, dx); });
}
void adaptive_max_forward(Device& device, const Tensor& x, Tensor& y, Tensor& index) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(x.dtype(), [&]<class T>() { max_values<T>(context, grid_of(x, y), x, y, index); });
}
void adaptive_max_backward(Device& device, const Tensor& dy, const Tensor& index, Tensor& dx) {
  cuda::Context& context = cuda::context_of(device);
  visit_stored(dx.dtype(),
               [&]<class T>() { max_slopes<T>(context, grid_of(dx, dy), dy, index, dx); });
}

const bool pool2d_added =
    kernel::max_pool2d_fwd.add(Backend::cuda, max_forward) &&
    kernel::max_pool2d_bwd.add(Backend::cuda, max_backward) &&
    kernel::avg_pool2d_fwd.add(Backend::cuda, avg_forward) &&
    kernel::avg_pool2d_bwd.add(Backend::cuda, avg_backward) &&
    kernel::adaptive_avg_pool2d_fwd.add(Backend::cuda, adaptive_avg_forward) &&
    kernel::adaptive_avg_pool2d_bwd.add(Backend::cuda, adaptive_avg_backward) &&
    kernel::adaptive_max_pool2d_fwd.add(Backend::cuda, adaptive_max_forward) &&
    kernel::adaptive_max_pool2d_bwd.add(Backend::cuda, adaptive_max_backward) &&
    kernel::max_pool2d_fwd.takes_bf16(Backend::cuda) &&
    kernel::max_pool2d_bwd.takes_bf16(Backend::cuda) &&
    kernel::avg_pool2d_fwd.takes_bf16(Backend::cuda) &&
    kernel::avg_pool2d_bwd.takes_bf16(Backend::cuda) &&
    kernel::adaptive_avg_pool2d_fwd.takes_bf16(Backend::cuda) &&
    kernel::adaptive_avg_pool2d_bwd.takes_bf16(Backend::cuda) &&
    kernel::adaptive_max_pool2d_fwd.takes_bf16(Backend::cuda) &&
    kernel::adaptive_max_pool2d_bwd.takes_bf16(Backend::cuda);

}  // namespace
}  // namespace dml
