#include "ops/gather.hpp"

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

/// Walks the picked side in runs that lie together on both sides, of all of the inner axes for
/// slices and of one element else: body(offset on the other side, offset here, length).
template <bool slices, class Body>
void each_run(const Axis& view, std::int64_t picked, const Tensor& index, Body body) {
  const std::int64_t* const index_at = index.raw<std::int64_t>();
  std::int64_t at = 0;
  for (std::int64_t o = 0; o < view.outer; ++o)
    for (std::int64_t i = 0; i < picked; ++i) {
      if constexpr (slices) {
        body((o * view.length + index_at[i]) * view.inner, at, view.inner);
        at += view.inner;
      } else {
        for (std::int64_t k = 0; k < view.inner; ++k, ++at)
          body((o * view.length + index_at[at]) * view.inner + k, at, std::int64_t{1});
      }
    }
}

std::int64_t picked(const Axis& view, const Tensor& index, bool slices) {
  return slices ? index.size() : view.lines() == 0 ? 0 : index.size() / view.lines();
}

template <bool slices>
void pick_reference(Device&, const Tensor& x, const Axis& view, const Tensor& index, Tensor& y) {
  check_index(index, view.length, slices ? "index_select" : "gather");
  visit_float(x.dtype(), [&]<class T>() {
    const T* const in = x.raw<T>();
    T* const out = y.raw<T>();
    each_run<slices>(view, picked(view, index, slices), index,
                     [=](std::int64_t from, std::int64_t to, std::int64_t length) {
                       std::copy_n(in + from, length, out + to);
                     });
  });
}

template <bool slices>
void add_reference(Device&, const Tensor& src, const Axis& view, const Tensor& index, Tensor& y) {
  check_index(index, view.length, slices ? "index_add" : "scatter_add");
  visit_float(src.dtype(), [&]<class T>() {
    const T* const in = src.raw<T>();
    T* const out = y.raw<T>();
    each_run<slices>(view, picked(view, index, slices), index,
                     [=](std::int64_t to, std::int64_t from, std::int64_t length) {
                       for (std::int64_t k = 0; k < length; ++k) out[to + k] += in[from + k];
                     });
  });
}

const bool gather_added = kernel::gather.add(Backend::reference, pick_reference<false>) &&
                          kernel::index_select.add(Backend::reference, pick_reference<true>) &&
                          kernel::scatter_add.add(Backend::reference, add_reference<false>) &&
                          kernel::index_add.add(Backend::reference, add_reference<true>);

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
