#pragma once
#include <cstddef>
#include <cstdint>

#include "engine/cuda/launch.cuh"

/// Reductions in a fixed order: the same bits in every run and on every GPU, without atomics.
namespace dml::cuda {

/// The result of op over one value per thread, on every thread. op is commutative. All threads of
/// the block take part; their number is a multiple of 32.
template <class T, class Op> __device__ T block_reduce(T value, Op op) {
  __shared__ T partial[32];
  for (int distance = 16; distance > 0; distance /= 2)
    value = op(value, __shfl_xor_sync(0xFFFFFFFFU, value, distance));
  __syncthreads();  // all threads have read the partial results of the call before
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  T result = partial[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) result = op(result, partial[warp]);
  return result;
}

template <class T> __device__ T block_sum(T value) {
  return block_reduce(value, [](T a, T b) { return a + b; });
}
template <class T> __device__ T block_min(T value) {
  return block_reduce(value, [](T a, T b) { return b < a ? b : a; });
}
/// NaN loses against any number, as in std::fmax.
template <class T> __device__ T block_max(T value) {
  return block_reduce(value, [](T a, T b) { return a < b || a != a ? b : a; });
}

inline constexpr unsigned column_threads = 32;

/// Folds rows [chunk * rows_per_chunk, ...) of each column: thread y takes every blockDim.y-th row,
/// then thread 0 merges in the order of y.
template <class Part, class Load, class Store>
__global__ void fold_columns(std::int64_t rows, std::int64_t columns, std::int64_t rows_per_chunk,
                             const Load load, const Store store) {
  __shared__ Part shared[32][column_threads];
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * column_threads + threadIdx.x;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * rows_per_chunk;
  const std::int64_t last = first + rows_per_chunk < rows ? first + rows_per_chunk : rows;
  Part part = Part::none();
  if (column < columns)
    for (std::int64_t r = first + threadIdx.y; r < last; r += blockDim.y) load(part, r, column);
  shared[threadIdx.y][threadIdx.x] = part;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) return;
  for (unsigned y = 1; y < blockDim.y; ++y) part.merge(shared[y][threadIdx.x]);
  store(part, static_cast<std::int64_t>(blockIdx.y), column);
}

/// Folds every column of [rows, columns] and stores the result: load(Part&, row, column) adds a
/// cell, store(const Part&, column) takes the total. Part is a plain aggregate with
///   static __device__ Part none();                 // of no rows
///   __device__ void merge(const Part& other);
/// Two stages: chunks of rows, then the chunks. With no rows, store is given none().
template <class Part, class Load, class Store>
void reduce_columns(Context& context, std::int64_t rows, std::int64_t columns, const Load& load,
                    const Store& store, Where where = Where::here()) {
  if (columns <= 0) return;
  const std::int64_t blocks = (columns + column_threads - 1) / column_threads;
  // Depends on the shape alone: the order of additions must not differ between GPUs.
  const std::int64_t wanted = std::max<std::int64_t>(1, 1024 / blocks);
  const std::int64_t per_chunk = std::max<std::int64_t>(128, (rows + wanted - 1) / wanted);
  const std::int64_t chunks = std::max<std::int64_t>(1, (rows + per_chunk - 1) / per_chunk);
  const auto across = static_cast<unsigned>(blocks);
  const auto last = [=] __device__(const Part& part, std::int64_t, std::int64_t column) {
    store(part, column);
  };
  if (chunks == 1) {
    launch(context, fold_columns<Part, Load, decltype(last)>, across, dim3(column_threads, 8),
           where, rows, columns, per_chunk, load, last);
    return;
  }
  const Temporary memory(context, static_cast<std::size_t>(chunks * columns) * sizeof(Part));
  Part* const partial = memory.as<Part>();
  const auto keep = [=] __device__(const Part& part, std::int64_t chunk, std::int64_t column) {
    partial[chunk * columns + column] = part;
  };
  const auto merge = [=] __device__(Part & part, std::int64_t chunk, std::int64_t column) {
    part.merge(partial[chunk * columns + column]);
  };
  launch(context, fold_columns<Part, Load, decltype(keep)>,
         dim3(across, static_cast<unsigned>(chunks)), dim3(column_threads, 8), where, rows, columns,
         per_chunk, load, keep);
  launch(context, fold_columns<Part, decltype(merge), decltype(last)>, across,
         dim3(column_threads, 32), where, chunks, columns, chunks, merge, last);
}

/// The sum of a column.
template <class T> struct Sum {
  T value;
  static __device__ Sum none() { return {T(0)}; }
  __device__ void merge(const Sum& other) { value += other.value; }
};

/// Count, mean and sum of squared deviations of a column, by sums around the first value: one pass
/// without the cancellation of a plain sum of squares.
template <class T> struct Moments {
  T count, shift, sum, squares;

  static __device__ Moments none() { return {T(0), T(0), T(0), T(0)}; }
  __device__ void add(T x) {
    if (count == T(0)) shift = x;
    const T distance = x - shift;
    count += T(1);
    sum += distance;
    squares += distance * distance;
  }
  __device__ T mean() const { return count == T(0) ? T(0) : shift + sum / count; }
  /// What mean() has lost by rounding: much, beside small deviations from a large mean.
  __device__ T rest() const { return count == T(0) ? T(0) : (shift - mean()) + sum / count; }
  /// Sum of (x - mean)^2, never negative.
  __device__ T deviations() const {
    if (count == T(0)) return T(0);
    const T value = squares - sum * (sum / count);
    return value > T(0) ? value : T(0);
  }
  /// Chan, Golub, LeVeque: the moments of both sets together, held around their common mean, the
  /// rest of which stays in `sum`.
  __device__ void merge(const Moments& other) {
    if (other.count == T(0)) return;
    if (count == T(0)) {
      *this = other;
      return;
    }
    const T total = count + other.count, apart = other.shift - shift;
    const T distance = (other.sum / other.count + apart) - sum / count;
    const T together =
        deviations() + other.deviations() + distance * distance * (count * (other.count / total));
    const T step = (sum + (other.sum + other.count * apart)) / total;  // from shift to the mean
    const T center = shift + step, left = ((shift - center) + step) * total;
    *this = {total, center, left, together + left * (left / total)};
  }
};

template <class Part, class Load, class Store>
__global__ void __launch_bounds__(block_threads)
    fold_all(std::int64_t n, std::int64_t per_chunk, const Load load, const Store store) {
  __shared__ Part shared[block_threads];
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * per_chunk;
  const std::int64_t last = first + per_chunk < n ? first + per_chunk : n;
  Part part = Part::none();
  for (std::int64_t i = first + threadIdx.x; i < last; i += block_threads) load(part, i);
  shared[threadIdx.x] = part;
  __syncthreads();
  for (unsigned half = block_threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x].merge(shared[threadIdx.x + half]);
    __syncthreads();
  }
  if (threadIdx.x == 0) store(shared[0], static_cast<std::int64_t>(blockIdx.x));
}

/// Folds n elements to one Part: load(Part&, i) adds element i, store(const Part&) takes the total.
/// With n = 0, store is given none().
template <class Part, class Load, class Store>
void reduce_all(Context& context, std::int64_t n, const Load& load, const Store& store,
                Where where = Where::here()) {
  const std::int64_t per_chunk = std::max<std::int64_t>(4096, (n + 1023) / 1024);
  const std::int64_t chunks = std::max<std::int64_t>(1, (n + per_chunk - 1) / per_chunk);
  const auto last = [=] __device__(const Part& part, std::int64_t) { store(part); };
  if (chunks == 1) {
    launch(context, fold_all<Part, Load, decltype(last)>, 1, block_threads, where, n, per_chunk,
           load, last);
    return;
  }
  const Temporary memory(context, static_cast<std::size_t>(chunks) * sizeof(Part));
  Part* const partial = memory.as<Part>();
  const auto keep = [=] __device__(const Part& part, std::int64_t chunk) { partial[chunk] = part; };
  const auto merge = [=] __device__(Part & part, std::int64_t i) { part.merge(partial[i]); };
  launch(context, fold_all<Part, Load, decltype(keep)>, static_cast<unsigned>(chunks),
         block_threads, where, n, per_chunk, load, keep);
  launch(context, fold_all<Part, decltype(merge), decltype(last)>, 1, block_threads, where, chunks,
         chunks, merge, last);
}

}  // namespace dml::cuda
