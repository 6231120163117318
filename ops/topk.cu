#include "engine/cuda/launch.cuh"
#include "ops/topk.hpp"

namespace dml {
namespace {

/// Whether element a of a line comes before element b. NaN counts as largest.
template <class T>
__device__ bool before(const T* line, std::int64_t step, bool largest, std::int64_t a,
                       std::int64_t b) {
  const T u = line[a * step], v = line[b * step];
  const bool u_nan = u != u, v_nan = v != v;
  if (u_nan || v_nan) return u_nan == v_nan ? a < b : u_nan == largest;
  if (u == v) return a < b;
  return largest ? u > v : u < v;
}

/// Every element counts how many come before it, which is its place: no sorting, no exchange
/// between threads. The work grows with the square of the length of a line.
template <class T>
void rank(cuda::Context& context, const Tensor& in, const Axis& view, std::int64_t k, bool largest,
          Tensor& out, Tensor& places) {
  const T* x = in.raw<T>();
  T* y = out.raw<T>();
  std::int64_t* index = places.raw<std::int64_t>();
  const std::int64_t length = view.length, inner = view.inner;
  if (k == 0) return;
  cuda::for_each_cell(context, view.outer * length, inner,
                      [=] __device__(std::int64_t r, std::int64_t c) {
                        const std::int64_t o = r / length, own = r % length;
                        const T* line = x + o * length * inner + c;
                        std::int64_t place = 0;
                        for (std::int64_t i = 0; i < length && place < k; ++i)
                          if (i != own && before(line, inner, largest, i, own)) ++place;
                        if (place >= k) return;
                        const std::int64_t at = (o * k + place) * inner + c;
                        index[at] = own;
                        y[at] = line[own * inner];
                      });
}

void topk(Device& device, const Tensor& x, const Axis& view, std::int64_t k, bool largest,
          Tensor& y, Tensor& index) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(x.dtype(), [&]<class T>() { rank<T>(context, x, view, k, largest, y, index); });
}

const bool topk_added = kernel::topk.add(Backend::cuda, topk);

}  // namespace
}  // namespace dml
