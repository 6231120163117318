#include "dml/retrieval/search.hpp"
#include "engine/cuda/reduce.cuh"

namespace dml {
namespace {

/// The best of one row as a heap whose root is the candidate that the next better one replaces: the
/// smallest score, of equal ones the highest index. Empty places (-1) count as worst of all. Used
/// by one thread of a warp.
template <class T> struct Heap {
  T* best;
  std::int64_t* index;
  std::int64_t k;

  __device__ static std::uint64_t order(std::int64_t i) { return static_cast<std::uint64_t>(i); }
  __device__ bool worse(std::int64_t a, std::int64_t b) const {
    if (best[a] != best[b]) return best[a] < best[b];
    return order(index[a]) > order(index[b]);
  }
  __device__ void swap(std::int64_t a, std::int64_t b) const {
    const T score = best[a];
    const std::int64_t place = index[a];
    best[a] = best[b];
    index[a] = index[b];
    best[b] = score;
    index[b] = place;
  }
  __device__ void offer(T score, std::int64_t i) const {
    if (!(score > best[0] || (score == best[0] && order(i) < order(index[0])))) return;
    best[0] = score;
    index[0] = i;
    for (std::int64_t at = 0;;) {
      std::int64_t child = 2 * at + 1;
      if (child >= k) return;
      if (child + 1 < k && worse(child + 1, child)) ++child;
      if (!worse(child, at)) return;
      swap(at, child);
      at = child;
    }
  }
};

/// A warp per row: 32 scores are read at a time, and mostly none of them is good enough.
template <class T>
void select(cuda::Context& context, const Tensor& scores, std::int64_t first, const Tensor& self,
            Tensor& best, Tensor& index) {
  const T* score = scores.raw<T>();
  const std::int64_t* own = self.raw<std::int64_t>();
  T* bests = best.raw<T>();
  std::int64_t* indices = index.raw<std::int64_t>();
  const std::int64_t n = scores.dim(1), pitch = scores.pitch(), k = best.dim(1);
  if (k == 0) return;
  constexpr std::int64_t warp = 32;
  cuda::for_each_row(context, scores.dim(0), warp, [=] __device__(std::int64_t r) {
    const Heap<T> heap{bests + r * k, indices + r * k, k};
    const std::int64_t left_out = own[r] - first;
    for (std::int64_t start = 0; start < n; start += warp) {
      const std::int64_t j = start + threadIdx.x;
      const bool offered = j < n && j != left_out;
      const T value = offered ? score[r * pitch + j] : T(0);
      __syncwarp();  // the heap as thread 0 left it
      const int wanted = offered && value >= heap.best[0] ? 1 : 0;
      if (cuda::block_max(wanted) == 0) continue;
      for (int lane = 0; lane < warp; ++lane) {
        const T other = __shfl_sync(0xFFFFFFFFU, value, lane);
        const int other_wanted = __shfl_sync(0xFFFFFFFFU, wanted, lane);
        if (threadIdx.x == 0 && other_wanted != 0) heap.offer(other, first + start + lane);
      }
    }
  });
}

template <class T>
void maximum(cuda::Context& context, const Tensor& scores, std::int64_t first, Tensor& best,
             Tensor& index) {
  const T* score = scores.raw<T>();
  T* bests = best.raw<T>();
  std::int64_t* indices = index.raw<std::int64_t>();
  const std::int64_t n = scores.dim(1), pitch = scores.pitch();
  if (n == 0) return;
  cuda::for_each_row(context, scores.dim(0), n, [=] __device__(std::int64_t r) {
    const T* row = score + r * pitch;
    T most = row[0];
    std::int64_t place = 0;
    for (std::int64_t j = threadIdx.x; j < n; j += blockDim.x)
      if (row[j] > most) {
        most = row[j];
        place = j;
      }
    const T largest = cuda::block_max(most);
    const std::int64_t lowest = cuda::block_min(most == largest ? place : n);
    if (threadIdx.x != 0 || !(largest > bests[r])) return;
    bests[r] = largest;
    indices[r] = first + lowest;
  });
}

template <class T> void subtract(cuda::Context& context, const Tensor& offset, Tensor& scores) {
  const T* off = offset.raw<T>();
  T* score = scores.raw<T>();
  const std::int64_t pitch = scores.pitch();
  cuda::for_each_cell(
      context, scores.dim(0), scores.dim(1),
      [=] __device__(std::int64_t r, std::int64_t j) { score[r * pitch + j] -= off[j]; });
}

void select_best(Device& device, const Tensor& scores, std::int64_t first, const Tensor& self,
                 Tensor& best, Tensor& index) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(scores.dtype(),
              [&]<class T>() { select<T>(context, scores, first, self, best, index); });
}
void row_maximum(Device& device, const Tensor& scores, std::int64_t first, Tensor& best,
                 Tensor& index) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(scores.dtype(), [&]<class T>() { maximum<T>(context, scores, first, best, index); });
}
void subtract_row(Device& device, const Tensor& offset, Tensor& scores) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(scores.dtype(), [&]<class T>() { subtract<T>(context, offset, scores); });
}

const bool select_added = kernel::select_best.add(Backend::cuda, select_best) &&
                          kernel::row_maximum.add(Backend::cuda, row_maximum) &&
                          kernel::subtract_row.add(Backend::cuda, subtract_row);

}  // namespace
}  // namespace dml
