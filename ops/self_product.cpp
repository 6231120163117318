#include "ops/self_product.hpp"

#include "ops/lines.hpp"
#include "ops/matmul.hpp"
#include "ops/mix_rows.hpp"

namespace dml {
namespace {

struct SelfProduct {
  Tensor x{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    x = device.dense(in);
    Tensor y = device.empty({x.dim(0), x.dim(0)}, x.dtype());
    kernel::self_product(device, x, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor both = device.empty(dy.shape(), dy.dtype());
    kernel::add_transposed(device, device.dense(dy), both);
    Tensor dx = device.empty(x.shape(), x.dtype());
    kernel::mix_rows(device, both, x, dx);
    return {dx};
  }
};

void whole_product(Device& device, const Tensor& x, Tensor& y) {
  kernel::matmul(device, x, x, {false, true}, 1, 0, y);
}

constexpr std::int64_t tile = 16;  // the transposed reads of a square tile stay in the cache

/// Bands of rows, each from its diagonal block on; what is left of it is copied from above.
void half_product(Device& device, const Tensor& x, Tensor& y) {
  const std::int64_t n = x.dim(0);
  const std::int64_t band = std::clamp<std::int64_t>(n / 8 / 64 * 64, 128, 512);
  if (n < 2 * band) return whole_product(device, x, y);
  for (std::int64_t first = 0; first < n; first += band) {
    const std::int64_t last = std::min(first + band, n);
    const Tensor right = x.rows(first, n);
    Tensor block = y.rows(first, last).channels(first, n);
    kernel::matmul(device, x.rows(first, last), right, {false, true}, 1, 0, block);
  }
  float* out = y.raw<float>();
  threaded_lines(device, n, n, [&]<class T>(std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; i += tile)
      for (std::int64_t j = 0; j < i / band * band; j += tile)
        for (std::int64_t r = i; r < std::min(i + tile, to); ++r)
          for (std::int64_t c = j; c < std::min(j + tile, r / band * band); ++c)
            out[r * n + c] = out[c * n + r];
  });
}

/// Rows [first, first + tile) of the upper half, and what mirrors them.
template <class T> void add_band(const T* in, T* out, std::int64_t n, std::int64_t first) {
  const std::int64_t last = std::min(first + tile, n);
  for (std::int64_t j = first; j < n; j += tile)
    for (std::int64_t r = first; r < last; ++r)
      for (std::int64_t c = std::max(j, r); c < std::min(j + tile, n); ++c) {
        const T sum = in[r * n + c] + in[c * n + r];
        out[r * n + c] = sum;
        out[c * n + r] = sum;
      }
}

/// Pairs [first, last) of bands, a long one with a short one: equal work for all threads.
template <class T>
void add_bands(const Tensor& x, Tensor& y, std::int64_t first, std::int64_t last) {
  const std::int64_t n = x.dim(0), bands = (n + tile - 1) / tile;
  for (std::int64_t k = first; k < last; ++k) {
    add_band(x.raw<T>(), y.raw<T>(), n, k * tile);
    if (bands - 1 - k > k) add_band(x.raw<T>(), y.raw<T>(), n, (bands - 1 - k) * tile);
  }
}

std::int64_t band_pairs(const Tensor& x) { return (x.dim(0) + 2 * tile - 1) / (2 * tile); }

void reference(Device&, const Tensor& x, Tensor& y) {
  serial_lines(x.dtype(), band_pairs(x), [&]<class T>(std::int64_t first, std::int64_t last) {
    add_bands<T>(x, y, first, last);
  });
}
void cpu(Device& device, const Tensor& x, Tensor& y) {
  threaded_lines(
      device, band_pairs(x), 2 * tile * x.dim(0),
      [&]<class T>(std::int64_t first, std::int64_t last) { add_bands<T>(x, y, first, last); });
}

const bool self_product_added = kernel::self_product.add(Backend::reference, whole_product) &&
                                kernel::self_product.add(Backend::cpu, half_product) &&
                                kernel::self_product.add(Backend::cuda, whole_product) &&
                                kernel::add_transposed.add(Backend::reference, reference) &&
                                kernel::add_transposed.add(Backend::cpu, cpu);

}  // namespace

Var self_product(const Var& x) {
  DML_CHECK(x.rank() == 2, "self_product: x must be [n, d], not " + to_string(x.shape()));
  return apply(SelfProduct{}, x);
}

}  // namespace dml
