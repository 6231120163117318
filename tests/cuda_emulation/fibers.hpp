#pragma once
#include <functional>

#include "tests/cuda_emulation/cuda_runtime_api.h"

/// Runs the threads of a CUDA block one after the other on the processor, each until it waits for
/// the others; a shared variable is a static one, since only one block runs at a time.
namespace dml::emulation {

/// Runs `thread` once for every thread of every block.
/// @throws std::logic_error when the threads of a block do not meet at the same barriers.
void run_grid(dim3 grid, dim3 block, const std::function<void()>& thread);

/// Waits until every thread of the block is at a barrier of this kind.
void barrier(const char* kind);

/// A place where the threads of a block show each other a value.
void* exchange(unsigned thread);
/// The number of the running thread in its block.
unsigned thread_number();

template <class T> T shuffle(T value, unsigned other) {
  *static_cast<T*>(exchange(thread_number())) = value;
  barrier("shuffle");
  const T result = *static_cast<T*>(exchange(other));
  barrier("shuffle");
  return result;
}

}  // namespace dml::emulation

extern dim3 gridDim, blockDim, blockIdx, threadIdx;

inline void __syncthreads() { dml::emulation::barrier("__syncthreads"); }
inline void __syncwarp(unsigned = 0xFFFFFFFFU) { dml::emulation::barrier("__syncwarp"); }
template <class T> T __shfl_xor_sync(unsigned, T value, int mask) {
  const unsigned own = dml::emulation::thread_number();
  return dml::emulation::shuffle(value, own ^ static_cast<unsigned>(mask));
}
template <class T> T __shfl_sync(unsigned, T value, int lane) {
  const unsigned own = dml::emulation::thread_number();
  return dml::emulation::shuffle(value, own / 32 * 32 + static_cast<unsigned>(lane));
}
template <class T> T __shfl_down_sync(unsigned, T value, unsigned by) {
  const unsigned own = dml::emulation::thread_number();
  return dml::emulation::shuffle(value, own % 32 + by < 32 ? own + by : own);
}

/// Threads of the emulation run one after the other.
template <class T> T atomicAdd(T* at, T value) {
  const T before = *at;
  *at = before + value;
  return before;
}
