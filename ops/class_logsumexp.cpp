#include "ops/class_logsumexp.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/lines.hpp"

namespace dml {
namespace {

struct ClassLogsumexp {
  ClassSide side;
  Tensor labels;
  Tensor x{}, y{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    x = device.dense(in);
    y = device.empty({x.dim(1)}, x.dtype());
    kernel::class_logsumexp_fwd(device, x, labels, side, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(x.shape(), x.dtype());
    kernel::class_logsumexp_bwd(device, x, labels, side, y, device.dense(dy), dx);
    return {dx};
  }
};

constexpr std::int64_t tile = 256;  // columns that are added up side by side

/// One tile of columns, row by row, so that memory is read in order.
template <class T>
void forward_tile(const Tensor& x, const std::int64_t* label, bool own, Tensor& y,
                  std::int64_t first, std::int64_t last) {
  const std::int64_t n = x.dim(0), c = x.dim(1), width = last - first;
  std::array<T, tile> most{};  // of the entries and of the 0 whose exponential is the 1
  std::array<double, tile> total{};
  const auto each = [&](auto&& visit) {
    for (std::int64_t i = 0; i < n; ++i) {
      const T* row = x.raw<T>() + i * c + first;
      const std::int64_t k = label[i] - first;
      if (own) {
        if (k >= 0 && k < width) visit(static_cast<std::size_t>(k), row[k]);
        continue;
      }
      const std::int64_t gap = k >= 0 && k < width ? k : width;
      for (std::int64_t j = 0; j < gap; ++j) visit(static_cast<std::size_t>(j), row[j]);
      for (std::int64_t j = gap + 1; j < width; ++j) visit(static_cast<std::size_t>(j), row[j]);
    }
  };
  each([&](std::size_t j, T value) { most[j] = std::max(most[j], value); });
  each([&](std::size_t j, T value) { total[j] += static_cast<double>(std::exp(value - most[j])); });
  for (std::int64_t j = 0; j < width; ++j) {
    const auto at = static_cast<std::size_t>(j);
    // log1p keeps the digits of sums that are small beside the 1.
    y.raw<T>()[first + j] =
        most[at] == T(0)
            ? static_cast<T>(std::log1p(total[at]))
            : static_cast<T>(std::log(total[at] + static_cast<double>(std::exp(-most[at])))) +
                  most[at];
  }
}

template <class T>
void backward_rows(const Tensor& x, const std::int64_t* label, bool own, const Tensor& y,
                   const Tensor& dy, Tensor& dx, std::int64_t first, std::int64_t last) {
  const std::int64_t c = x.dim(1);
  const T *sums = y.raw<T>(), *up = dy.raw<T>();
  for (std::int64_t i = first; i < last; ++i) {
    const T* in = x.raw<T>() + i * c;
    T* out = dx.raw<T>() + i * c;
    const std::int64_t k = label[i];
    if (own) {
      std::fill_n(out, c, T(0));
      if (k >= 0 && k < c) out[k] = up[k] * std::exp(in[k] - sums[k]);
      continue;
    }
    for (std::int64_t j = 0; j < c; ++j) out[j] = up[j] * std::exp(in[j] - sums[j]);
    if (k >= 0 && k < c) out[k] = T(0);
  }
}

template <class T>
void forward_tiles(const Tensor& x, const Tensor& labels, ClassSide side, Tensor& y,
                   std::int64_t first, std::int64_t last) {
  for (std::int64_t t = first; t < last; ++t)
    forward_tile<T>(x, labels.raw<std::int64_t>(), side == ClassSide::own, y, t * tile,
                    std::min(x.dim(1), (t + 1) * tile));
}

void forward_reference(Device&, const Tensor& x, const Tensor& labels, ClassSide side, Tensor& y) {
  serial_lines(x.dtype(), (x.dim(1) + tile - 1) / tile,
               [&]<class T>(std::int64_t first, std::int64_t last) {
                 forward_tiles<T>(x, labels, side, y, first, last);
               });
}
void forward_cpu(Device& device, const Tensor& x, const Tensor& labels, ClassSide side, Tensor& y) {
  threaded_lines(device, (x.dim(1) + tile - 1) / tile, x.dim(0) * tile,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   forward_tiles<T>(x, labels, side, y, first, last);
                 });
}
void backward_reference(Device&, const Tensor& x, const Tensor& labels, ClassSide side,
                        const Tensor& y, const Tensor& dy, Tensor& dx) {
  serial_lines(x.dtype(), x.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(x, labels.raw<std::int64_t>(), side == ClassSide::own, y, dy, dx, first, last);
  });
}
void backward_cpu(Device& device, const Tensor& x, const Tensor& labels, ClassSide side,
                  const Tensor& y, const Tensor& dy, Tensor& dx) {
  threaded_lines(device, x.dim(0), x.dim(1), [&]<class T>(std::int64_t first, std::int64_t last) {
    backward_rows<T>(x, labels.raw<std::int64_t>(), side == ClassSide::own, y, dy, dx, first, last);
  });
}

const bool class_logsumexp_added =
    kernel::class_logsumexp_fwd.add(Backend::reference, forward_reference) &&
    kernel::class_logsumexp_fwd.add(Backend::cpu, forward_cpu) &&
    kernel::class_logsumexp_bwd.add(Backend::reference, backward_reference) &&
    kernel::class_logsumexp_bwd.add(Backend::cpu, backward_cpu);

}  // namespace

Var class_logsumexp(const Var& x, const Tensor& labels, ClassSide side) {
  DML_CHECK(x.rank() == 2 && labels.shape() == Shape{x.dim(0)},
            "class_logsumexp: x " + to_string(x.shape()) + " and labels " +
                to_string(labels.shape()) + "; [n, c] and [n] are needed");
  return apply(ClassLogsumexp{.side = side, .labels = x.device().upload(labels)}, x);
}

}  // namespace dml
