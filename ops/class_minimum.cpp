#include "ops/class_minimum.hpp"

#include <algorithm>

namespace dml {
namespace {

struct ClassMinimum {
  std::int64_t classes;
  Tensor labels;
  Tensor x{}, y{}, ties{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    x = device.dense(in);
    y = device.empty({classes}, x.dtype());
    ties = device.empty({classes}, x.dtype());
    kernel::class_minimum_fwd(device, x, labels, y, ties);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(x.shape(), x.dtype());
    kernel::class_minimum_bwd(device, x, labels, y, ties, device.dense(dy), dx);
    return {dx};
  }
};

template <class T> void find(const Tensor& x, const std::int64_t* label, Tensor& y, Tensor& ties) {
  const std::int64_t n = x.dim(0);
  std::fill_n(y.raw<T>(), y.size(), T(0));
  std::fill_n(ties.raw<T>(), ties.size(), T(0));
  for (std::int64_t i = 0; i < n; ++i) {
    T &least = y.raw<T>()[label[i]], &equal = ties.raw<T>()[label[i]];
    for (std::int64_t k = 0; k < n; ++k) {
      if (label[k] != label[i]) continue;
      const T value = x.raw<T>()[i * n + k];
      if (equal == T(0) || value < least) {
        least = value;
        equal = T(1);
      } else if (value == least) {
        equal += T(1);
      }
    }
  }
}

void forward(Device&, const Tensor& x, const Tensor& labels, Tensor& y, Tensor& ties) {
  visit_float(x.dtype(), [&]<class T>() { find<T>(x, labels.raw<std::int64_t>(), y, ties); });
}

void backward(Device&, const Tensor& x, const Tensor& labels, const Tensor& y, const Tensor& ties,
              const Tensor& dy, Tensor& dx) {
  const std::int64_t n = x.dim(0);
  const std::int64_t* label = labels.raw<std::int64_t>();
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t c = label[i];
      const T least = y.raw<T>()[c], share = dy.raw<T>()[c] / ties.raw<T>()[c];
      for (std::int64_t k = 0; k < n; ++k)
        dx.raw<T>()[i * n + k] = label[k] == c && x.raw<T>()[i * n + k] == least ? share : T(0);
    }
  });
}

const bool class_minimum_added = kernel::class_minimum_fwd.add(Backend::reference, forward) &&
                                 kernel::class_minimum_fwd.add(Backend::cpu, forward) &&
                                 kernel::class_minimum_bwd.add(Backend::reference, backward) &&
                                 kernel::class_minimum_bwd.add(Backend::cpu, backward);

}  // namespace

Var class_minimum(const Var& x, const Tensor& labels, std::int64_t classes) {
  DML_CHECK(x.rank() == 2 && x.dim(0) == x.dim(1) && labels.shape() == Shape{x.dim(0)},
            "class_minimum: x " + to_string(x.shape()) + " and labels " +
                to_string(labels.shape()) + "; [n, n] and [n] are needed");
  if (labels.place() == Place::host)
    for (const std::int64_t label : labels.data<std::int64_t>())
      DML_CHECK(label >= 0 && label < classes, "class_minimum: label " + std::to_string(label) +
                                                   " of " + std::to_string(classes) + " classes");
  return apply(ClassMinimum{.classes = classes, .labels = x.device().upload(labels)}, x);
}

}  // namespace dml
