#include "ops/self_product.hpp"

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

void add(Device&, const Tensor& x, Tensor& y) {
  const std::int64_t n = x.dim(0);
  visit_float(x.dtype(), [&]<class T>() {
    const T* in = x.raw<T>();
    T* out = y.raw<T>();
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t c = r; c < n; ++c)
        out[r * n + c] = out[c * n + r] = in[r * n + c] + in[c * n + r];
  });
}

const bool self_product_added = kernel::self_product.add(Backend::reference, whole_product) &&
                                kernel::self_product.add(Backend::cuda, whole_product) &&
                                kernel::add_transposed.add(Backend::reference, add);

}  // namespace

Var self_product(const Var& x) {
  DML_CHECK(x.rank() == 2, "self_product: x must be [n, d], not " + to_string(x.shape()));
  return apply(SelfProduct{}, x);
}

}  // namespace dml
