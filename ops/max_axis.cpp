#include "ops/max_axis.hpp"

#include "ops/affine.hpp"
#include "ops/gather.hpp"
#include "ops/lines.hpp"

namespace dml {
namespace {

/// dx = 0;  dx[index] = dy
struct Max {
  Axis view;
  Shape result;
  Tensor index;   // written by the forward pass
  Shape input{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    input = x.shape();
    Tensor y = device.empty(result, x.dtype());
    kernel::max_axis(device, x, view, y, index);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.zeros(input, dy.dtype());
    kernel::scatter_add(device, device.dense(dy), view, index, dx);
    return {dx};
  }
};

/// dx = dy, shared by the elements that are equal to y
struct SharedMax {
  Axis view;
  Shape result;
  Tensor x{}, y{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    x = device.dense(in);
    y = device.empty(result, x.dtype());
    Tensor index = device.empty(result, DType::i64);
    kernel::max_axis(device, x, view, y, index);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.empty(x.shape(), x.dtype());
    kernel::amax_bwd(device, x, y, view, device.dense(dy), dx);
    return {dx};
  }
};

template <class T>
void max_lines(const Tensor& x, const Axis& view, Tensor& y, Tensor& index, std::int64_t first,
               std::int64_t last) {
  for (std::int64_t line = first; line < last; ++line) {
    const T* in = x.raw<T>() + view.start(line);
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < view.length; ++i) {
      const T value = in[i * view.inner], most = in[best * view.inner];
      if (most == most && !(value <= most)) best = i;  // a NaN is kept once found
    }
    y.raw<T>()[line] = in[best * view.inner];
    index.raw<std::int64_t>()[line] = best;
  }
}

void max_reference(Device&, const Tensor& x, const Axis& view, Tensor& y, Tensor& index) {
  serial_lines(x.dtype(), view.lines(), [&]<class T>(std::int64_t first, std::int64_t last) {
    max_lines<T>(x, view, y, index, first, last);
  });
}
void max_cpu(Device& device, const Tensor& x, const Axis& view, Tensor& y, Tensor& index) {
  threaded_lines(device, view.lines(), view.length,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   max_lines<T>(x, view, y, index, first, last);
                 });
}

void shared(Device& device, const Tensor& x, const Tensor& y, const Axis& view, const Tensor& dy,
            Tensor& dx) {
  const std::int64_t work = 3 * view.length;
  all_lines(device, x.dtype(), view.lines(), work,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              for (std::int64_t line = first; line < last; ++line) {
                const T* in = x.raw<T>() + view.start(line);
                T* out = dx.raw<T>() + view.start(line);
                const T most = y.raw<T>()[line];
                std::int64_t equal = 0;
                for (std::int64_t i = 0; i < view.length; ++i)
                  equal += in[i * view.inner] == most ? 1 : 0;
                const T share = dy.raw<T>()[line] / static_cast<T>(equal);
                for (std::int64_t i = 0; i < view.length; ++i)
                  out[i * view.inner] = in[i * view.inner] == most ? share : T(0);
              }
            });
}

const bool max_axis_added = kernel::max_axis.add(Backend::reference, max_reference) &&
                            kernel::max_axis.add(Backend::cpu, max_cpu) &&
                            kernel::amax_bwd.add(Backend::reference, shared) &&
                            kernel::amax_bwd.add(Backend::cpu, shared);

Axis filled_axis(const Var& x, int axis, const char* op) {
  const Axis view = axis_of(x.shape(), axis, op);
  DML_CHECK(view.length > 0, std::string(op) + ": axis " + std::to_string(axis) + " of " +
                                 to_string(x.shape()) + " is empty; nothing is largest there");
  return view;
}

}  // namespace

Picked max(const Var& x, int axis, bool keep) {
  const Axis view = filled_axis(x, axis, "max");
  const Shape result = without_axis(x.shape(), axis, keep);
  const Tensor index = x.device().empty(result, DType::i64);
  return {apply(Max{view, result, index}, x), index};
}

Picked min(const Var& x, int axis, bool keep) {
  Picked found = max(affine(x, -1), axis, keep);
  return {affine(found.values, -1), found.indices};
}

Var amax(const Var& x, int axis, bool keep) {
  return apply(SharedMax{filled_axis(x, axis, "amax"), without_axis(x.shape(), axis, keep)}, x);
}
Var amin(const Var& x, int axis, bool keep) { return affine(amax(affine(x, -1), axis, keep), -1); }

Tensor argmax(const Var& x, int axis, bool keep) { return max(x.detached(), axis, keep).indices; }
Tensor argmin(const Var& x, int axis, bool keep) { return min(x.detached(), axis, keep).indices; }

}  // namespace dml
