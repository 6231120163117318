#include <limits>

#include "engine/cuda/launch.cuh"
#include "ops/gather.hpp"

namespace dml {
namespace {

// Indices are on the device, where an exception cannot be thrown: an index outside the axis picks
// NaN and adds nothing. It is never used as an address.

/// How the picked side is walked: its elements are [outer, picked, inner], and each has an index of
/// its own, or one index per slice.
struct Walk {
  std::int64_t outer, length, inner, picked;
  bool slices;

  Walk(const Axis& view, const Tensor& index, bool by_slice)
      : outer(view.outer),
        length(view.length),
        inner(view.inner),
        picked(by_slice            ? index.size()
               : view.lines() == 0 ? 0
                                   : index.size() / view.lines()),
        slices(by_slice) {}

  __device__ std::int64_t element(std::int64_t o, std::int64_t i, std::int64_t k) const {
    return (o * picked + i) * inner + k;
  }
  __device__ std::int64_t index_of(std::int64_t o, std::int64_t i, std::int64_t k) const {
    return slices ? i : element(o, i, k);
  }
};

template <class T>
void pick(cuda::Context& context, const Tensor& x, const Walk& walk, const Tensor& index,
          Tensor& y) {
  const T* from = x.raw<T>();
  const std::int64_t* indices = index.raw<std::int64_t>();
  T* to = y.raw<T>();
  const T invalid = std::numeric_limits<T>::quiet_NaN();
  const Walk w = walk;
  cuda::for_each_cell(
      context, w.outer * w.picked, w.inner, [=] __device__(std::int64_t r, std::int64_t k) {
        const std::int64_t o = r / w.picked, j = indices[w.index_of(o, r % w.picked, k)];
        to[r * w.inner + k] =
            j >= 0 && j < w.length ? from[(o * w.length + j) * w.inner + k] : invalid;
      });
}

/// Each line of the picked side by a thread, in the order of the index.
template <class T>
void add_by_line(cuda::Context& context, const T* from, const Walk& w, const std::int64_t* indices,
                 T* to) {
  const Walk walk = w;
  cuda::for_each_cell(
      context, walk.outer, walk.inner, [=] __device__(std::int64_t o, std::int64_t k) {
        for (std::int64_t i = 0; i < walk.picked; ++i) {
          const std::int64_t j = indices[walk.index_of(o, i, k)];
          if (j >= 0 && j < walk.length)
            to[(o * walk.length + j) * walk.inner + k] += from[walk.element(o, i, k)];
        }
      });
}

/// Each element of the result by a thread, which looks through the index: for few, long lines.
template <class T>
void add_by_target(cuda::Context& context, const T* from, const Walk& w,
                   const std::int64_t* indices, T* to) {
  const Walk walk = w;
  cuda::for_each_cell(context, walk.outer * walk.length, walk.inner,
                      [=] __device__(std::int64_t r, std::int64_t k) {
                        const std::int64_t o = r / walk.length, j = r % walk.length;
                        T total = to[r * walk.inner + k];
                        for (std::int64_t i = 0; i < walk.picked; ++i)
                          if (indices[walk.index_of(o, i, k)] == j)
                            total += from[walk.element(o, i, k)];
                        to[r * walk.inner + k] = total;
                      });
}

template <class T>
void add(cuda::Context& context, const Tensor& src, const Walk& walk, const Tensor& index,
         Tensor& y) {
  constexpr std::int64_t enough = 256;  // lines that keep a GPU busy
  const bool by_line = walk.outer * walk.inner >= enough || walk.picked <= 1;
  (by_line ? add_by_line<T> : add_by_target<T>)(context, src.raw<T>(), walk,
                                                index.raw<std::int64_t>(), y.raw<T>());
}

template <bool slices>
void pick_on(Device& device, const Tensor& x, const Axis& view, const Tensor& index, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(),
              [&]<class T>() { pick<T>(context, x, Walk(view, index, slices), index, y); });
}
template <bool slices>
void add_on(Device& device, const Tensor& src, const Axis& view, const Tensor& index, Tensor& y) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(src.dtype(),
              [&]<class T>() { add<T>(context, src, Walk(view, index, slices), index, y); });
}

const bool gather_added = kernel::gather.add(Backend::cuda, pick_on<false>) &&
                          kernel::index_select.add(Backend::cuda, pick_on<true>) &&
                          kernel::scatter_add.add(Backend::cuda, add_on<false>) &&
                          kernel::index_add.add(Backend::cuda, add_on<true>);

}  // namespace
}  // namespace dml
