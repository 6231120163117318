#pragma once
#include <cmath>

#include "engine/cuda/reduce.cuh"

namespace dml::cuda {

/// The largest of n > 0 packed elements, by a whole block.
template <class T> __device__ T block_largest(const T* x, std::int64_t n) {
  T most = x[0];
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) most = x[i] > most ? x[i] : most;
  return block_max(most);
}

/// SoftmaxLine::log_sum of n > 0 packed elements, by a whole block; the result is on every thread.
template <class T> __device__ T block_log_sum(const T* x, std::int64_t n, T scale) {
  const T most = block_largest(x, n) * scale;
  T total = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) total += std::exp(x[i] * scale - most);
  total = block_sum(total);
  return most - most != T(0) ? most : most + std::log(total);
}

}  // namespace dml::cuda
