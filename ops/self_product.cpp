#include "ops/self_product.hpp"

#include "ops/lines.hpp"
#include "ops/matmul.hpp"

namespace dml {
namespace {

struct SelfProduct {
  Tensor x{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    x = device.dense(in);
    Tensor y = device.empty({x.dim(0), x.dim(0)}, x.dtype());
    kernel::matmul(device, x, x, {false, true}, 1, 0, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor both = device.empty(dy.shape(), dy.dtype());
    kernel::add_transposed(device, device.dense(dy), both);
    Tensor dx = device.empty(x.shape(), x.dtype());
    kernel::matmul(device, both, x, {}, 1, 0, dx);
    return {dx};
  }
};

/// Square tiles, so that the transposed reads stay in the cache.
template <class T>
void add_rows(const Tensor& x, Tensor& y, std::int64_t first, std::int64_t last) {
  constexpr std::int64_t tile = 32;
  const std::int64_t n = x.dim(0);
  const T* in = x.raw<T>();
  T* out = y.raw<T>();
  for (std::int64_t i = first; i < last; i += tile)
    for (std::int64_t j = 0; j < n; j += tile)
      for (std::int64_t r = i; r < std::min(i + tile, last); ++r)
        for (std::int64_t c = j; c < std::min(j + tile, n); ++c)
          out[r * n + c] = in[r * n + c] + in[c * n + r];
}

void reference(Device&, const Tensor& x, Tensor& y) {
  serial_lines(x.dtype(), x.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    add_rows<T>(x, y, first, last);
  });
}
void cpu(Device& device, const Tensor& x, Tensor& y) {
  threaded_lines(device, x.dim(0), x.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    add_rows<T>(x, y, first, last);
  });
}

const bool self_product_added = kernel::add_transposed.add(Backend::reference, reference) &&
                                kernel::add_transposed.add(Backend::cpu, cpu);

}  // namespace

Var self_product(const Var& x) {
  DML_CHECK(x.rank() == 2, "self_product: x must be [n, d], not " + to_string(x.shape()));
  return apply(SelfProduct{}, x);
}

}  // namespace dml
