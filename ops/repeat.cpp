#include "ops/repeat.hpp"

#include <algorithm>

#include "ops/lines.hpp"
#include "ops/reshape.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// dx = sum of dy over the axis
struct Repeat {
  Axis view;
  Shape result;
  Shape input{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    input = x.shape();
    Tensor y = device.empty(result, x.dtype());
    kernel::repeat(device, x, view, 1, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(input, dy.dtype());
    kernel::sum(device, device.dense(dy), view, 1, dx);
    return {dx};
  }
};

template <class T>
void repeat_outer(const Tensor& x, const Axis& view, double scale, Tensor& y, std::int64_t first,
                  std::int64_t last) {
  const T factor = static_cast<T>(scale);
  for (std::int64_t o = first; o < last; ++o) {
    const T* in = x.raw<T>() + o * view.inner;
    T* out = y.raw<T>() + o * view.length * view.inner;
    if (view.inner == 1) {
      std::fill_n(out, view.length, factor * *in);
      continue;
    }
    for (std::int64_t i = 0; i < view.length; ++i, out += view.inner)
      for (std::int64_t k = 0; k < view.inner; ++k) out[k] = factor * in[k];
  }
}

void reference(Device&, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  serial_lines(x.dtype(), view.outer, [&]<class T>(std::int64_t first, std::int64_t last) {
    repeat_outer<T>(x, view, scale, y, first, last);
  });
}
void fast(Device& device, const Tensor& x, const Axis& view, double scale, Tensor& y) {
  threaded_lines(device, view.outer, view.length * view.inner,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   repeat_outer<T>(x, view, scale, y, first, last);
                 });
}

const bool repeat_added =
    kernel::repeat.add(Backend::reference, reference) && kernel::repeat.add(Backend::cpu, fast);

}  // namespace

Var repeat(const Var& x, int axis, std::int64_t n) {
  Axis view = axis_of(x.shape(), axis, "repeat");
  DML_CHECK(view.length == 1 && n >= 0, "repeat: axis " + std::to_string(axis) + " of " +
                                            to_string(x.shape()) + " to length " +
                                            std::to_string(n) + "; the axis must have length 1");
  Shape result = x.shape();
  result[static_cast<std::size_t>(from_front(result, axis))] = n;
  view.length = n;
  return apply(Repeat{view, result}, x);
}

Var broadcast_to(const Var& x, const Shape& to) {
  const std::string shapes = "broadcast_to: " + to_string(x.shape()) + " to " + to_string(to);
  DML_CHECK(x.shape().size() <= to.size(), shapes + "\n  the target has fewer dimensions");
  Shape aligned(to.size() - x.shape().size(), 1);
  aligned.insert(aligned.end(), x.shape().begin(), x.shape().end());
  Var y = aligned == x.shape() ? x : reshape(x, aligned);
  for (std::size_t i = to.size(); i-- > 0;) {
    if (aligned[i] == to[i]) continue;
    DML_CHECK(aligned[i] == 1, shapes + "\n  only axes of length 1 are repeated");
    y = repeat(y, static_cast<int>(i), to[i]);
  }
  return y;
}

}  // namespace dml
