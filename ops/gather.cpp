#include "ops/gather.hpp"

#include <algorithm>
#include <vector>

#include "ops/lines.hpp"
#include "ops/reshape.hpp"

namespace dml {
namespace {

/// The two ways to name elements along an axis: one index per element, or one per slice.
template <bool slices>
void pick(Device& device, const Tensor& x, const Axis& view, const Tensor& index, Tensor& y) {
  (slices ? kernel::index_select : kernel::gather)(device, x, view, index, y);
}
template <bool slices>
void add(Device& device, const Tensor& src, const Axis& view, const Tensor& index, Tensor& y) {
  (slices ? kernel::index_add : kernel::scatter_add)(device, src, view, index, y);
}

/// dx = 0;  dx[index] += dy
template <bool slices> struct Pick {
  Axis view;
  Tensor index;
  Shape result;
  Shape input{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Tensor x = device.dense(in);
    input = x.shape();
    Tensor y = device.empty(result, x.dtype());
    pick<slices>(device, x, view, index, y);
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor dx = device.zeros(input, dy.dtype());
    add<slices>(device, device.dense(dy), view, index, dx);
    return {dx};
  }
};

/// dx = dy;  dsrc = dy[index]
template <bool slices> struct AddAt {
  Axis view;
  Tensor index;
  Shape source{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& x, const Tensor& src) {
    source = src.shape();
    Tensor y = device.empty(x.shape(), x.dtype());
    device.copy(x, y);
    add<slices>(device, device.dense(src), view, index, y);
    return y;
  }
  Grads<2> backward(Device& device, const Tensor& dy, std::array<bool, 2> wanted) const {
    Tensor dsrc;
    if (wanted[1]) {
      dsrc = device.empty(source, dy.dtype());
      pick<slices>(device, device.dense(dy), view, index, dsrc);
    }
    return {dy, dsrc};
  }
};

void check_index(const Tensor& index, std::int64_t length, const char* op) {
  const std::int64_t* at = index.raw<std::int64_t>();
  for (std::int64_t i = 0; i < index.size(); ++i)
    DML_CHECK(at[i] >= 0 && at[i] < length, std::string(op) + ": index " + std::to_string(at[i]) +
                                                " of an axis of length " + std::to_string(length));
}

/// Lines (outer, inner) of the picked side that a thread walks, in order: along a line no other
/// thread reads or writes, so sums keep their order.
struct Part {
  Axis view;
  std::int64_t picked;  // length of the axis on that side
  std::int64_t first, last;

  /// In runs that lie together on both sides, of neighbouring lines for slices and of one element
  /// else: body(offset on the other side, offset here, length).
  template <bool slices, class Body> void each_run(const Tensor& index, Body body) const {
    const std::int64_t* const index_at = index.raw<std::int64_t>();
    for (std::int64_t line = first; line < last;) {
      const std::int64_t o = line / view.inner, k = line % view.inner;
      const std::int64_t run = std::min(view.inner - k, last - line);
      for (std::int64_t i = 0; i < picked; ++i) {
        const std::int64_t here = (o * picked + i) * view.inner + k;
        const auto there = [&](std::int64_t at) { return (o * view.length + at) * view.inner + k; };
        if constexpr (slices) {
          body(there(index_at[i]), here, run);
        } else {
          for (std::int64_t n = 0; n < run; ++n)
            body(there(index_at[here + n]) + n, here + n, std::int64_t{1});
        }
      }
      line += run;
    }
  }
};

std::int64_t picked(const Axis& view, const Tensor& index, bool slices) {
  return slices ? index.size() : view.lines() == 0 ? 0 : index.size() / view.lines();
}

template <bool slices>
void pick_lines(Device& device, const Tensor& x, const Axis& view, const Tensor& index, Tensor& y) {
  check_index(index, view.length, slices ? "index_select" : "gather");
  const std::int64_t count = picked(view, index, slices);
  const auto copy = [&]<class T>(std::int64_t first, std::int64_t last) {
    const T* const in = x.raw<T>();
    T* const out = y.raw<T>();
    Part{view, count, first, last}.each_run<slices>(
        index, [=](std::int64_t from, std::int64_t to, std::int64_t length) {
          std::copy_n(in + from, length, out + to);
        });
  };
  all_lines(device, x.dtype(), view.lines(), count, copy);
}

template <bool slices>
void add_lines(Device& device, const Tensor& src, const Axis& view, const Tensor& index,
               Tensor& y) {
  check_index(index, view.length, slices ? "index_add" : "scatter_add");
  const std::int64_t count = picked(view, index, slices);
  const auto add_up = [&]<class T>(std::int64_t first, std::int64_t last) {
    const T* const in = src.raw<T>();
    T* const out = y.raw<T>();
    Part{view, count, first, last}.each_run<slices>(
        index, [=](std::int64_t to, std::int64_t from, std::int64_t length) {
          for (std::int64_t k = 0; k < length; ++k) out[to + k] += in[from + k];
        });
  };
  all_lines(device, src.dtype(), view.lines(), 2 * count, add_up);
}

template <Backend backend> bool fill_slots() {
  return kernel::gather.add(backend, pick_lines<false>) &&
         kernel::index_select.add(backend, pick_lines<true>) &&
         kernel::scatter_add.add(backend, add_lines<false>) &&
         kernel::index_add.add(backend, add_lines<true>);
}
const bool gather_added = fill_slots<Backend::reference>() && fill_slots<Backend::cpu>();

void check_type(const Tensor& index, const char* op) {
  if (index.dtype() != DType::i64)
    throw TypeError(std::string(op) + ": the index is " + name_of(index.dtype()) + ", not i64");
}

/// The shape of x with another length of the axis.
Shape with_length(const Shape& x, int axis, std::int64_t length) {
  Shape shape = x;
  shape[static_cast<std::size_t>(from_front(x, axis))] = length;
  return shape;
}

std::int64_t length_along(const Tensor& index, const Var& x, int axis, const char* op) {
  check_type(index, op);
  const bool fits =
      index.rank() == x.rank() &&
      index.shape() == with_length(x.shape(), axis, index.dim(from_front(x.shape(), axis)));
  DML_CHECK(fits, std::string(op) + ": index " + to_string(index.shape()) + " for " +
                      to_string(x.shape()) + " along axis " + std::to_string(axis) +
                      "\n  all other axes must be equal");
  return index.dim(from_front(x.shape(), axis));
}

}  // namespace

Var gather(const Var& x, int axis, const Tensor& index) {
  const Axis view = axis_of(x.shape(), axis, "gather");
  length_along(index, x, axis, "gather");
  return apply(Pick<false>{view, x.device().upload(index), index.shape()}, x);
}

Var scatter_add(const Var& x, int axis, const Tensor& index, const Var& src) {
  const Axis view = axis_of(x.shape(), axis, "scatter_add");
  length_along(index, x, axis, "scatter_add");
  DML_CHECK(src.shape() == index.shape(), "scatter_add: src " + to_string(src.shape()) +
                                              " and index " + to_string(index.shape()) + " differ");
  return apply(AddAt<false>{view, x.device().upload(index)}, x, src);
}

Var index_select(const Var& x, int axis, const Tensor& index) {
  const Axis view = axis_of(x.shape(), axis, "index_select");
  check_type(index, "index_select");
  DML_CHECK(index.rank() == 1, "index_select: index " + to_string(index.shape()) + " is not [m]");
  return apply(
      Pick<true>{view, x.device().upload(index), with_length(x.shape(), axis, index.size())}, x);
}

Var index_add(const Var& x, int axis, const Tensor& index, const Var& src) {
  const Axis view = axis_of(x.shape(), axis, "index_add");
  check_type(index, "index_add");
  DML_CHECK(index.rank() == 1 && src.shape() == with_length(x.shape(), axis, index.size()),
            "index_add: src " + to_string(src.shape()) + " and index " + to_string(index.shape()) +
                " for " + to_string(x.shape()) + " along axis " + std::to_string(axis));
  return apply(AddAt<true>{view, x.device().upload(index)}, x, src);
}

Var boolean_select(const Var& x, const Tensor& mask) {
  DML_CHECK(mask.shape() == x.shape() && mask.dtype() == DType::u8,
            "boolean_select: mask " + to_string(mask.shape()) + " of " + name_of(mask.dtype()) +
                " for " + to_string(x.shape()) + "; u8 of the same shape is needed");
  const Tensor host = mask.to_host().dense();
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < host.size(); ++i)
    if (host.raw<std::uint8_t>()[i] != 0) kept.push_back(i);
  const Shape count{static_cast<std::int64_t>(kept.size())};
  return index_select(reshape(x, {x.value().size()}), 0,
                      Tensor::of<std::int64_t>(count, std::span<const std::int64_t>(kept)));
}

}  // namespace dml
