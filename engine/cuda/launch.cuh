#pragma once
#include <algorithm>
#include <cstdint>

#include "engine/cuda/grid.cuh"

namespace dml::cuda {

inline constexpr int block_threads = 256;

/// Blocks for `wanted` blocks of work: enough to fill the GPU several times, the rest is a loop.
inline unsigned grid_of(const Context& context, std::int64_t wanted) {
  const std::int64_t most = std::int64_t{32} * context.multiprocessors();
  return static_cast<unsigned>(std::clamp<std::int64_t>(wanted, 1, most));
}

/// How many threads of a block lie side by side in a row of `width` elements: a power of two.
inline unsigned threads_across(std::int64_t width) {
  unsigned across = 1;
  while (across < block_threads && static_cast<std::int64_t>(across) < width) across *= 2;
  return across;
}

template <class Fn>
__global__ void __launch_bounds__(block_threads) run_each(std::int64_t n, const Fn fn) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += step)
    fn(i);
}

/// fn(i) for every i in [0, n), each on a thread. Launches nothing when n is 0.
template <class Fn>
void for_each(Context& context, std::int64_t n, const Fn& fn, Where where = Where::here()) {
  if (n <= 0) return;
  launch(context, run_each<Fn>, grid_of(context, (n + block_threads - 1) / block_threads),
         block_threads, where, n, fn);
}

template <class Fn>
__global__ void __launch_bounds__(block_threads)
    run_cells(std::int64_t rows, std::int64_t width, const Fn fn) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.y;
  for (std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; r < rows;
       r += step)
    for (std::int64_t c = threadIdx.x; c < width; c += blockDim.x) fn(r, c);
}

/// fn(row, column) for every cell of [rows, width]; neighbouring threads take neighbouring columns,
/// and what fn computes of the row alone is computed once per thread. For tensors with a pitch.
template <class Fn>
void for_each_cell(Context& context, std::int64_t rows, std::int64_t width, const Fn& fn,
                   Where where = Where::here()) {
  if (rows <= 0 || width <= 0) return;
  const unsigned across = threads_across(width), down = block_threads / across;
  launch(context, run_cells<Fn>, grid_of(context, (rows + down - 1) / down), dim3(across, down),
         where, rows, width, fn);
}

template <class Prepare>
__global__ void __launch_bounds__(block_threads)
    run_columns(std::int64_t rows, std::int64_t width, const Prepare prepare) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.y;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  for (std::int64_t c = threadIdx.x; c < width; c += blockDim.x) {
    const auto column = prepare(c);
    for (std::int64_t r = first; r < rows; r += step) column(r);
  }
}

/// As for_each_cell, for work that needs much of its column: prepare(column) gives a functor, which
/// is then called with rows.
template <class Prepare>
void for_each_column(Context& context, std::int64_t rows, std::int64_t width,
                     const Prepare& prepare, Where where = Where::here()) {
  if (rows <= 0 || width <= 0) return;
  const unsigned across = threads_across(width), down = block_threads / across;
  launch(context, run_columns<Prepare>, grid_of(context, (rows + down - 1) / down),
         dim3(across, down), where, rows, width, prepare);
}

template <class Fn>
__global__ void __launch_bounds__(block_threads) run_rows(std::int64_t rows, const Fn fn) {
  for (std::int64_t r = blockIdx.x; r < rows; r += gridDim.x) fn(r);
}

/// fn(row) for every row by a whole block: its threads share the columns (stride blockDim.x) and
/// may call the block_ functions of reduce.cuh. `width` only sets the number of threads.
template <class Fn>
void for_each_row(Context& context, std::int64_t rows, std::int64_t width, const Fn& fn,
                  Where where = Where::here()) {
  if (rows <= 0) return;
  const auto threads =
      static_cast<unsigned>(std::clamp<std::int64_t>((width + 31) / 32 * 32, 32, block_threads));
  launch(context, run_rows<Fn>, grid_of(context, rows), threads, where, rows, fn);
}

}  // namespace dml::cuda
