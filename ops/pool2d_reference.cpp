#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/cpu/parallel.hpp"
#include "ops/pool2d.hpp"

namespace dml {
namespace {

/// A run of input rows (or columns): first, first + step, ... below last, all inside the map.
struct Run {
  std::int64_t first, last, step;
};

/// The part inside the map of window `o` along one axis.
Run window_run(std::int64_t o, std::int64_t size, const Pool2dOptions& options, std::size_t axis) {
  const std::int64_t step = options.dilation[axis];
  std::int64_t first = o * options.stride[axis] - options.pad[axis];
  const std::int64_t last = std::min(first + step * (options.kernel[axis] - 1) + 1, size);
  while (first < 0) first += step;
  return {first, last, step};
}

/// Cell `o` of `cells` along an axis of `size` pixels.
Run cell_run(std::int64_t o, std::int64_t size, std::int64_t cells) {
  return {o * size / cells, ((o + 1) * size + cells - 1) / cells, 1};
}

/// How many elements of window `o` count in its average: those inside the map, or inside the
/// padded map (a window of ceil_mode may reach beyond even that).
std::int64_t counted(std::int64_t o, std::int64_t size, const Pool2dOptions& options,
                     std::size_t axis) {
  const std::int64_t first = o * options.stride[axis] - options.pad[axis];
  const std::int64_t last = first + options.kernel[axis];
  if (options.count_include_pad) return std::min(last, size + options.pad[axis]) - first;
  return std::min(last, size) - std::max<std::int64_t>(first, 0);
}

/// Calls each(image, p, q) for all places of the map of y, one image after the other; on a cpu
/// device threads take images.
template <class Fn> void every_place(const Device& device, const Tensor& y, Fn&& each) {
  auto images = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t image = first; image < last; ++image)
      for (std::int64_t p = 0; p < y.dim(1); ++p)
        for (std::int64_t q = 0; q < y.dim(2); ++q) each(image, p, q);
  };
  if (device.backend() == Backend::cpu) {
    cpu::parallel_for(device.threads(), y.dim(0), 1, images);
  } else {
    images(0, y.dim(0));
  }
}

/// The first channel of a pixel.
template <class T> T* pixel(const Tensor& x, std::int64_t image, std::int64_t h, std::int64_t w) {
  return x.raw<T>() + ((image * x.dim(1) + h) * x.dim(2) + w) * x.pitch();
}

/// The maximum over rows x columns of each channel, and its place.
template <class T>
void maximum(const Tensor& x, std::int64_t image, Run rows, Run columns, T* y,
             std::int32_t* index) {
  for (std::int64_t c = 0; c < x.dim(3); ++c) {
    T best = -std::numeric_limits<T>::infinity();
    std::int64_t place = -1;
    for (std::int64_t h = rows.first; h < rows.last; h += rows.step)
      for (std::int64_t w = columns.first; w < columns.last; w += columns.step) {
        const T value = pixel<T>(x, image, h, w)[c];
        if (value > best || std::isnan(value) || place < 0) {
          best = value;
          place = h * x.dim(2) + w;
        }
      }
    y[c] = best;
    if (index != nullptr) index[c] = static_cast<std::int32_t>(place);
  }
}

template <class T>
void average(const Tensor& x, std::int64_t image, Run rows, Run columns, double divisor, T* y) {
  for (std::int64_t c = 0; c < x.dim(3); ++c) {
    double sum = 0;
    for (std::int64_t h = rows.first; h < rows.last; ++h)
      for (std::int64_t w = columns.first; w < columns.last; ++w)
        sum += static_cast<double>(pixel<T>(x, image, h, w)[c]);
    y[c] = static_cast<T>(sum / divisor);
  }
}

/// dx += dy / divisor over rows x columns.
template <class T>
void spread(const T* dy, double divisor, std::int64_t image, Run rows, Run columns, Tensor& dx) {
  for (std::int64_t h = rows.first; h < rows.last; ++h)
    for (std::int64_t w = columns.first; w < columns.last; ++w)
      for (std::int64_t c = 0; c < dx.dim(3); ++c)
        pixel<T>(dx, image, h, w)[c] += static_cast<T>(static_cast<double>(dy[c]) / divisor);
}

void max_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y,
                 Tensor& index) {
  visit_float(x.dtype(), [&]<class T>() {
    every_place(device, y, [&](std::int64_t image, std::int64_t p, std::int64_t q) {
      maximum(x, image, window_run(p, x.dim(1), options, 0), window_run(q, x.dim(2), options, 1),
              pixel<T>(y, image, p, q),
              index.defined() ? pixel<std::int32_t>(index, image, p, q) : nullptr);
    });
  });
}

/// dx at each noted place += dy.
void add_at_index(Device& device, const Tensor& dy, const Tensor& index, Tensor& dx) {
  device.clear(dx);
  visit_float(dx.dtype(), [&]<class T>() {
    every_place(device, dy, [&](std::int64_t image, std::int64_t p, std::int64_t q) {
      const auto* place = pixel<std::int32_t>(index, image, p, q);
      for (std::int64_t c = 0; c < dx.dim(3); ++c)
        if (place[c] >= 0) pixel<T>(dx, image, 0, place[c])[c] += pixel<T>(dy, image, p, q)[c];
    });
  });
}
void max_backward(Device& device, const Tensor& dy, const Tensor& index, const Pool2dOptions&,
                  Tensor& dx) {
  add_at_index(device, dy, index, dx);
}

double divisor_of(const Tensor& x, const Pool2dOptions& options, std::int64_t p, std::int64_t q) {
  return static_cast<double>(counted(p, x.dim(1), options, 0) * counted(q, x.dim(2), options, 1));
}
void avg_forward(Device& device, const Tensor& x, const Pool2dOptions& options, Tensor& y) {
  visit_float(x.dtype(), [&]<class T>() {
    every_place(device, y, [&](std::int64_t image, std::int64_t p, std::int64_t q) {
      average(x, image, window_run(p, x.dim(1), options, 0), window_run(q, x.dim(2), options, 1),
              divisor_of(x, options, p, q), pixel<T>(y, image, p, q));
    });
  });
}
void avg_backward(Device& device, const Tensor& dy, const Pool2dOptions& options, Tensor& dx) {
  device.clear(dx);
  visit_float(dx.dtype(), [&]<class T>() {
    every_place(device, dy, [&](std::int64_t image, std::int64_t p, std::int64_t q) {
      spread(pixel<T>(dy, image, p, q), divisor_of(dx, options, p, q), image,
             window_run(p, dx.dim(1), options, 0), window_run(q, dx.dim(2), options, 1), dx);
    });
  });
}

double cell_size(Run rows, Run columns) {
  return static_cast<double>((rows.last - rows.first) * (columns.last - columns.first));
}
void adaptive_avg_forward(Device& device, const Tensor& x, Tensor& y) {
  visit_float(x.dtype(), [&]<class T>() {
    every_place(device, y, [&](std::int64_t image, std::int64_t p, std::int64_t q) {
      const Run rows = cell_run(p, x.dim(1), y.dim(1)), columns = cell_run(q, x.dim(2), y.dim(2));
      average(x, image, rows, columns, cell_size(rows, columns), pixel<T>(y, image, p, q));
    });
  });
}
void adaptive_avg_backward(Device& device, const Tensor& dy, Tensor& dx) {
  device.clear(dx);
  visit_float(dx.dtype(), [&]<class T>() {
    every_place(device, dy, [&](std::int64_t image, std::int64_t p, std::int64_t q) {
      const Run rows = cell_run(p, dx.dim(1), dy.dim(1)),
                columns = cell_run(q, dx.dim(2), dy.dim(2));
      spread(pixel<T>(dy, image, p, q), cell_size(rows, columns), image, rows, columns, dx);
    });
  });
}
void adaptive_max_forward(Device& device, const Tensor& x, Tensor& y, Tensor& index) {
  visit_float(x.dtype(), [&]<class T>() {
    every_place(device, y, [&](std::int64_t image, std::int64_t p, std::int64_t q) {
      maximum(x, image, cell_run(p, x.dim(1), y.dim(1)), cell_run(q, x.dim(2), y.dim(2)),
              pixel<T>(y, image, p, q), pixel<std::int32_t>(index, image, p, q));
    });
  });
}

const bool pool2d_reference_added =
    kernel::max_pool2d_fwd.add(Backend::reference, max_forward) &&
    kernel::max_pool2d_bwd.add(Backend::reference, max_backward) &&
    kernel::avg_pool2d_fwd.add(Backend::reference, avg_forward) &&
    kernel::avg_pool2d_bwd.add(Backend::reference, avg_backward) &&
    kernel::adaptive_avg_pool2d_fwd.add(Backend::reference, adaptive_avg_forward) &&
    kernel::adaptive_avg_pool2d_fwd.add(Backend::cpu, adaptive_avg_forward) &&
    kernel::adaptive_avg_pool2d_bwd.add(Backend::reference, adaptive_avg_backward) &&
    kernel::adaptive_avg_pool2d_bwd.add(Backend::cpu, adaptive_avg_backward) &&
    kernel::adaptive_max_pool2d_fwd.add(Backend::reference, adaptive_max_forward) &&
    kernel::adaptive_max_pool2d_fwd.add(Backend::cpu, adaptive_max_forward) &&
    kernel::adaptive_max_pool2d_bwd.add(Backend::reference, add_at_index) &&
    kernel::adaptive_max_pool2d_bwd.add(Backend::cpu, add_at_index);

}  // namespace
}  // namespace dml
