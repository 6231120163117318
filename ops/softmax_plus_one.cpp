#include "ops/softmax_plus_one.hpp"

#include "ops/lines.hpp"
#include "ops/softmax.hpp"

namespace dml {
namespace {

/// dx = y (dy - <y, dy>)
struct SoftmaxPlusOne {
  Axis view;
  Tensor y{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    y = device.empty(x.shape(), x.dtype());
    kernel::softmax_plus_one(device, x, view, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(y.shape(), y.dtype());
    kernel::softmax_bwd(device, y, view, 1, device.dense(dy), dx);
    return {dx};
  }
};

template <class T>
void run(const Tensor& x, const Axis& view, Tensor& y, std::int64_t first, std::int64_t last) {
  const SoftmaxPlusOneLine line{view.length};
  for (std::int64_t i = first; i < last; ++i)
    line(x.raw<T>() + i * view.length, y.raw<T>() + i * view.length);
}

void reference(Device&, const Tensor& x, const Axis& view, Tensor& y) {
  serial_lines(x.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    run<T>(x, view, y, first, last);
  });
}
void fast(Device& device, const Tensor& x, const Axis& view, Tensor& y) {
  threaded_lines(
      device, view.lines(), view.length,
      [&]<class T>(std::int64_t first, std::int64_t last) { run<T>(x, view, y, first, last); });
}

const bool softmax_plus_one_added = kernel::softmax_plus_one.add(Backend::reference, reference) &&
                                    kernel::softmax_plus_one.add(Backend::cpu, fast);

}  // namespace

Var softmax_plus_one(const Var& x) {
  return apply(SoftmaxPlusOne{axis_of(x.shape(), -1, "softmax_plus_one")}, x);
}

}  // namespace dml
