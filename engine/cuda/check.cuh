#pragma once
#include <cuda_runtime_api.h>

#include "engine/where.hpp"

namespace dml::cuda {

/// @throws DeviceError with the name of the call and CUDA's own words.
[[noreturn]] void fail(cudaError_t status, const char* call, Where where);

/// Throws DeviceError unless the call succeeded.
inline void check(cudaError_t status, const char* call, Where where = Where::here()) {
  if (status != cudaSuccess) fail(status, call, where);
}

}  // namespace dml::cuda
