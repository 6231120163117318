#include "ops/topk.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "ops/gather.hpp"
#include "ops/lines.hpp"

namespace dml {
namespace {

/// dx = 0;  dx[index] = dy
struct TopK {
  Axis view;
  std::int64_t k;
  bool largest;
  Tensor index;   // written by the forward pass
  Shape input{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    input = x.shape();
    Tensor y = device.empty(index.shape(), x.dtype());
    kernel::topk(device, x, view, k, largest, y, index);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.zeros(input, dy.dtype());
    kernel::scatter_add(device, device.dense(dy), view, index, dx);
    return {dx};
  }
};

template <class T>
void topk_lines(const Tensor& x, const Axis& view, std::int64_t k, bool largest, Tensor& y,
                Tensor& index, std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(view.length));
  const Axis to{view.outer, k, view.inner};
  for (std::int64_t line = first; line < last; ++line) {
    const T* in = x.raw<T>() + view.start(line);
    const auto better = [&](std::int64_t a, std::int64_t b) {
      const T u = in[a * view.inner], v = in[b * view.inner];
      const bool u_nan = u != u, v_nan = v != v;
      if (u_nan || v_nan) return u_nan == v_nan ? a < b : u_nan == largest;
      if (u == v) return a < b;
      return largest ? u > v : u < v;
    };
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::partial_sort(order.begin(), order.begin() + k, order.end(), better);
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t at = to.start(line) + i * view.inner;
      index.raw<std::int64_t>()[at] = order[static_cast<std::size_t>(i)];
      y.raw<T>()[at] = in[order[static_cast<std::size_t>(i)] * view.inner];
    }
  }
}

void reference(Device&, const Tensor& x, const Axis& view, std::int64_t k, bool largest, Tensor& y,
               Tensor& index) {
  serial_lines(x.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    topk_lines<T>(x, view, k, largest, y, index, first, last);
  });
}
void fast(Device& device, const Tensor& x, const Axis& view, std::int64_t k, bool largest,
          Tensor& y, Tensor& index) {
  threaded_lines(device, view.lines(), 4 * view.length,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   topk_lines<T>(x, view, k, largest, y, index, first, last);
                 });
}

const bool topk_added =
    kernel::topk.add(Backend::reference, reference) && kernel::topk.add(Backend::cpu, fast);

}  // namespace

Picked topk(const Var& x, std::int64_t k, int axis, bool largest) {
  const Axis view = axis_of(x.shape(), axis, "topk");
  DML_CHECK(k >= 0 && k <= view.length, "topk: " + std::to_string(k) + " of the " +
                                            std::to_string(view.length) + " elements of axis " +
                                            std::to_string(axis) + " of " + to_string(x.shape()));
  Shape result = x.shape();
  result[static_cast<std::size_t>(from_front(result, axis))] = k;
  const Tensor index = x.device().empty(result, DType::i64);
  return {apply(TopK{view, k, largest, index}, x), index};
}

}  // namespace dml
