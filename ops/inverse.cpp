#include "ops/inverse.hpp"

#include <cmath>
#include <vector>

#include "ops/matmul.hpp"
#include "ops/permute.hpp"

namespace dml {
namespace {

/// With y the inverse:  dx = -y^T dy y^T.
struct Inverse {
  Tensor y{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& x) {
    y = device.empty(x.shape(), x.dtype());
    Tensor log_det = device.empty({}, x.dtype());
    kernel::invert(device, device.dense(x), y, log_det);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor half = device.empty(y.shape(), y.dtype()), dx = device.empty(y.shape(), y.dtype());
    kernel::matmul(device, y, dy, {.a = true, .b = false}, 1, 0, half);
    kernel::matmul(device, half, y, {.a = false, .b = true}, -1, 0, dx);
    return {dx};
  }
};

/// With y the inverse:  dx = dy y^T.
struct LogAbsDet {
  Tensor y{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& x) {
    y = device.empty(x.shape(), x.dtype());
    Tensor log_det = device.empty({}, x.dtype());
    kernel::invert(device, device.dense(x), y, log_det);
    return log_det;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    const std::int64_t n = y.dim(0);
    Tensor turned = device.empty(y.shape(), y.dtype()), dx = device.empty({n * n, 1}, y.dtype());
    kernel::permute(device, y, {.rank = 2, .order = {1, 0}}, turned);
    // dy lies on the device: a product with it, not a factor on the host.
    kernel::matmul(device, turned.reshape({n * n, 1}), dy.reshape({1, 1}), {}, 1, 0, dx);
    return {dx.reshape({n, n})};
  }
};

void invert(Device&, const Tensor& x, Tensor& inverse, Tensor& log_det) {
  const GaussJordan elimination{x.dim(0)};
  std::vector<double> work(static_cast<std::size_t>(2 * x.size()));
  visit_float(x.dtype(), [&]<class T>() {
    elimination.invert(x.raw<T>(), work.data(), inverse.raw<T>(), log_det.raw<T>());
  });
}

// In f64 on one thread wherever it runs: matrices of a flow's channels, 4 x 4 to 16 x 16.
const bool inverse_added =
    kernel::invert.add(Backend::reference, invert) && kernel::invert.add(Backend::cpu, invert);

void check_square(const Var& x, const char* op) {
  DML_CHECK(x.rank() == 2 && x.dim(0) == x.dim(1) && x.dim(0) > 0,
            std::string(op) + ": " + to_string(x.shape()) + " is no square matrix");
}

}  // namespace

Var inverse(const Var& x) {
  check_square(x, "inverse");
  return apply(Inverse{}, x);
}

Var log_abs_det(const Var& x) {
  check_square(x, "log_abs_det");
  return apply(LogAbsDet{}, x);
}

}  // namespace dml
