#include "ops/slice.hpp"

#include <algorithm>

#include "ops/lines.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

Shape sliced_shape(const Shape& x, int axis, std::int64_t length) {
  Shape shape = x;
  shape[static_cast<std::size_t>(from_front(x, axis))] = length;
  return shape;
}

/// dx = 0, and dy in the places of the slices
struct Slice {
  Axis view;
  std::int64_t first, step, n;
  Shape result;
  Shape input{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    input = x.shape();
    Tensor y = device.empty(result, x.dtype());
    kernel::slice(device, x, view, first, step, n, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.zeros(input, dy.dtype());
    kernel::unslice(device, device.dense(dy), view, first, step, n, dx);
    return {dx};
  }
};

/// Each part gets its slices of dy.
struct Concat {
  int axis;
  Shape result;
  std::vector<Shape> inputs{};  // kept for the backward pass

  std::int64_t length(const Shape& shape) const {
    return shape[static_cast<std::size_t>(from_front(shape, axis))];
  }
  Tensor forward(Device& device, std::span<const Tensor> parts) {
    Tensor y = device.empty(result, parts[0].dtype());
    const Axis view = axis_of(result, axis, "concat");
    std::int64_t at = 0;
    for (const Tensor& part : parts) {
      const std::int64_t n = length(part.shape());
      kernel::unslice(device, device.dense(part), view, at, 1, n, y);
      inputs.push_back(part.shape());
      at += n;
    }
    return y;
  }
  std::vector<Tensor> backward(Device& device, const Tensor& dy,
                               const std::vector<bool>& wanted) const {
    const Tensor up = device.dense(dy);
    const Axis view = axis_of(result, axis, "concat");
    std::vector<Tensor> all(inputs.size());
    std::int64_t at = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::int64_t n = length(inputs[i]);
      if (wanted[i]) {
        all[i] = device.empty(inputs[i], dy.dtype());
        kernel::slice(device, up, view, at, 1, n, all[i]);
      }
      at += n;
    }
    return all;
  }
};

template <class T>
void slice_rows(const Tensor& x, const Axis& view, std::int64_t start, std::int64_t step,
                std::int64_t n, Tensor& y, std::int64_t first, std::int64_t last) {
  for (std::int64_t o = first; o < last; ++o)
    for (std::int64_t i = 0; i < n; ++i)
      std::copy_n(x.raw<T>() + (o * view.length + start + i * step) * view.inner, view.inner,
                  y.raw<T>() + (o * n + i) * view.inner);
}
template <class T>
void unslice_rows(const Tensor& x, const Axis& view, std::int64_t start, std::int64_t step,
                  std::int64_t n, Tensor& y, std::int64_t first, std::int64_t last) {
  for (std::int64_t o = first; o < last; ++o)
    for (std::int64_t i = 0; i < n; ++i)
      std::copy_n(x.raw<T>() + (o * n + i) * view.inner, view.inner,
                  y.raw<T>() + (o * view.length + start + i * step) * view.inner);
}

void slice_reference(Device&, const Tensor& x, const Axis& view, std::int64_t start,
                     std::int64_t step, std::int64_t n, Tensor& y) {
  serial_lines(x.dtype(), view.outer, [&]<class T>(std::int64_t first, std::int64_t last) {
    slice_rows<T>(x, view, start, step, n, y, first, last);
  });
}
void slice_cpu(Device& device, const Tensor& x, const Axis& view, std::int64_t start,
               std::int64_t step, std::int64_t n, Tensor& y) {
  threaded_lines(device, view.outer, n * view.inner,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   slice_rows<T>(x, view, start, step, n, y, first, last);
                 });
}
void unslice_reference(Device&, const Tensor& x, const Axis& view, std::int64_t start,
                       std::int64_t step, std::int64_t n, Tensor& y) {
  serial_lines(x.dtype(), view.outer, [&]<class T>(std::int64_t first, std::int64_t last) {
    unslice_rows<T>(x, view, start, step, n, y, first, last);
  });
}
void unslice_cpu(Device& device, const Tensor& x, const Axis& view, std::int64_t start,
                 std::int64_t step, std::int64_t n, Tensor& y) {
  threaded_lines(device, view.outer, n * view.inner,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   unslice_rows<T>(x, view, start, step, n, y, first, last);
                 });
}

const bool slice_added = kernel::slice.add(Backend::reference, slice_reference) &&
                         kernel::slice.add(Backend::cpu, slice_cpu) &&
                         kernel::unslice.add(Backend::reference, unslice_reference) &&
                         kernel::unslice.add(Backend::cpu, unslice_cpu);

}  // namespace

Var slice(const Var& x, int axis, std::int64_t first, std::int64_t last, std::int64_t step) {
  const Axis view = axis_of(x.shape(), axis, "slice");
  if (step <= 0) throw UsageError("slice: step " + std::to_string(step) + "; it must be positive");
  const std::int64_t length = view.length;
  first = std::clamp<std::int64_t>(first < 0 ? first + length : first, 0, length);
  last = std::clamp<std::int64_t>(last < 0 ? last + length : last, first, length);
  const std::int64_t n = (last - first + step - 1) / step;
  return apply(Slice{view, first, step, n, sliced_shape(x.shape(), axis, n)}, x);
}

Var concat(const std::vector<Var>& parts, int axis) {
  DML_CHECK(!parts.empty(), "concat: no tensors are given; one at least is needed");
  std::int64_t length = 0;
  for (const Var& part : parts) {
    length += axis_of(part.shape(), axis, "concat").length;
    DML_CHECK(sliced_shape(part.shape(), axis, 1) == sliced_shape(parts[0].shape(), axis, 1),
              "concat: " + to_string(parts[0].shape()) + " and " + to_string(part.shape()) +
                  " along axis " + std::to_string(axis) + "; all other axes must be equal");
  }
  return parts[0].tape().run_many(Concat{axis, sliced_shape(parts[0].shape(), axis, length)},
                                  parts);
}

Var stack(const std::vector<Var>& parts, int axis) {
  std::vector<Var> slices;
  for (const Var& part : parts) {
    Shape shape = part.shape();
    const int at = axis < 0 ? axis + part.rank() + 1 : axis;
    DML_CHECK(at >= 0 && at <= part.rank(),
              "stack: new axis " + std::to_string(axis) + " for " + to_string(shape));
    shape.insert(shape.begin() + at, 1);
    slices.push_back(reshape(part, shape));
  }
  return concat(slices, axis);
}

std::vector<Var> split(const Var& x, int axis, std::int64_t n) {
  const std::int64_t length = axis_of(x.shape(), axis, "split").length;
  DML_CHECK(n > 0 && length % n == 0, "split: " + std::to_string(length) + " slices of " +
                                          to_string(x.shape()) + " into " + std::to_string(n) +
                                          " equal parts");
  std::vector<Var> parts;
  const std::int64_t each = length / n;
  for (std::int64_t i = 0; i < n; ++i) parts.push_back(slice(x, axis, i * each, (i + 1) * each));
  return parts;
}

}  // namespace dml
