#pragma once
#include <cmath>

#include "engine/cuda/reduce.cuh"
#include "ops/softmax.hpp"

namespace dml::cuda {

/// The largest of n > 0 packed elements, by a whole block.
template <class T> __device__ T block_largest(const T* x, std::int64_t n) {
  T most = x[0];
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) most = x[i] > most ? x[i] : most;
  return block_max(most);
}

/// SoftmaxLine::log_sum of n > 0 packed elements, by a whole block; the result is on every thread.
template <class T> __device__ LogSumParts<T> block_log_sum(const T* x, std::int64_t n, T scale) {
  const T top = block_largest(x, n);
  T total = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
    total += std::exp((x[i] - top) * scale);
  total = block_sum(total);
  return {top, top - top != T(0) ? T(0) : std::log(total)};
}

}  // namespace dml::cuda
