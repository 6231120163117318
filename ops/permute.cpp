#include "ops/permute.hpp"

#include "ops/axis.hpp"
#include "ops/lines.hpp"

namespace dml {
namespace {

Shape permuted(const Shape& shape, const Permutation& p) {
  Shape result;
  for (int i = 0; i < p.rank; ++i)
    result.push_back(shape[static_cast<std::size_t>(p.order[static_cast<std::size_t>(i)])]);
  return result;
}

Permutation inverse(const Permutation& p) {
  Permutation result{p.rank, {}};
  for (int i = 0; i < p.rank; ++i)
    result.order[static_cast<std::size_t>(p.order[static_cast<std::size_t>(i)])] = i;
  return result;
}

/// dx = dy, permuted back
struct Permute {
  Permutation permutation;

  Tensor move(Device& device, const Tensor& x, const Permutation& p) const {
    Tensor y = device.empty(permuted(x.shape(), p), x.dtype());
    kernel::permute(device, device.dense(x), p, y);
    return y;
  }
  Tensor forward(Device& device, const Tensor& x) const { return move(device, x, permutation); }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    return {move(device, dy, inverse(permutation))};
  }
};

void reference(Device&, const Tensor& x, const Permutation& p, Tensor& y) {
  std::array<std::int64_t, Permutation::most> step{};  // in x, for each axis of y
  for (int i = 0; i < p.rank; ++i) {
    std::int64_t stride = 1;
    for (int k = p.order[static_cast<std::size_t>(i)] + 1; k < p.rank; ++k) stride *= x.dim(k);
    step[static_cast<std::size_t>(i)] = stride;
  }
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t at = 0; at < y.size(); ++at) {
      std::int64_t rest = at, from = 0;
      for (int i = p.rank - 1; i >= 0; --i) {
        from += rest % y.dim(i) * step[static_cast<std::size_t>(i)];
        rest /= y.dim(i);
      }
      y.raw<T>()[at] = x.raw<T>()[from];
    }
  });
}

/// Runs of elements that follow each other in y, `step` apart in x, on all threads.
void fast(Device& device, const Tensor& x, const Permutation& p, Tensor& y) {
  std::array<std::int64_t, Permutation::most> length{}, step{};  // of the axes of y; step in x
  int axes = 0;
  for (int i = 0; i < p.rank; ++i) {
    const int from = p.order[static_cast<std::size_t>(i)];
    std::int64_t stride = 1;
    for (int k = from + 1; k < p.rank; ++k) stride *= x.dim(k);
    const auto last = static_cast<std::size_t>(axes) - 1;
    if (axes > 0 && step[last] == stride * x.dim(from)) {  // the two stay side by side: one axis
      length[last] *= x.dim(from);
      step[last] = stride;
      continue;
    }
    length[static_cast<std::size_t>(axes)] = x.dim(from);
    step[static_cast<std::size_t>(axes++)] = stride;
  }
  const auto inner = static_cast<std::size_t>(std::max(axes - 1, 0));
  const std::int64_t run = axes == 0 ? 1 : length[inner], apart = axes == 0 ? 1 : step[inner];
  if (y.size() == 0) return;
  threaded_lines(device, y.size() / run, run, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t line = first; line < last; ++line) {
      const T* from = x.raw<T>();
      std::int64_t rest = line;
      for (std::size_t i = inner; i-- > 0; rest /= length[i]) from += rest % length[i] * step[i];
      T* to = y.raw<T>() + line * run;
      if (apart == 1) {
        std::copy_n(from, run, to);
      } else {
        for (std::int64_t k = 0; k < run; ++k) to[k] = from[k * apart];
      }
    }
  });
}

const bool permute_added =
    kernel::permute.add(Backend::reference, reference) && kernel::permute.add(Backend::cpu, fast);

}  // namespace

Var permute(const Var& x, const std::vector<int>& order) {
  const std::string text = "permute: " + to_string(x.shape());
  DML_CHECK(static_cast<int>(order.size()) == x.rank() && x.rank() <= Permutation::most,
            text + " with an order of " + std::to_string(order.size()) + " axes; at most 6");
  Permutation p{x.rank(), {}};
  std::array<bool, Permutation::most> seen{};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const int axis = from_front(x.shape(), order[i]);
    DML_CHECK(axis >= 0 && axis < x.rank() && !seen[static_cast<std::size_t>(axis)],
              text + ": axis " + std::to_string(order[i]) + " is absent or named twice");
    seen[static_cast<std::size_t>(axis)] = true;
    p.order[i] = axis;
  }
  return apply(Permute{p}, x);
}

Var transpose(const Var& x, int a, int b) {
  axis_of(x.shape(), a, "transpose");
  axis_of(x.shape(), b, "transpose");
  std::vector<int> order;
  for (int i = 0; i < x.rank(); ++i) order.push_back(i);
  std::swap(order[static_cast<std::size_t>(from_front(x.shape(), a))],
            order[static_cast<std::size_t>(from_front(x.shape(), b))]);
  return permute(x, order);
}

}  // namespace dml
