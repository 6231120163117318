#pragma once
#include <cublasLt.h>
#include <cudnn.h>

#include <array>
#include <cstdint>
#include <map>

#include "engine/cuda/context.cuh"
#include "engine/cuda/cudnn_graph.cuh"

namespace dml::cuda {

/// @throws DeviceError with the name of the call and the library's own words.
[[noreturn]] void fail(cublasStatus_t status, const char* call, Where where);

/// Throws DeviceError unless the call succeeded.
inline void check(cublasStatus_t status, const char* call, Where where = Where::here()) {
  if (status != CUBLAS_STATUS_SUCCESS) fail(status, call, where);
}

/// What identifies a matrix product: sizes, leading dimensions, batch, type, alignment, flags.
using MatmulKey = std::array<std::int64_t, 12>;

/// Handles of the libraries, bound to the stream of the context, and what was planned with them.
struct Libraries {
  explicit Libraries(const Context& context);
  Libraries(const Libraries&) = delete;
  Libraries& operator=(const Libraries&) = delete;
  ~Libraries();

  cudnnHandle_t cudnn = nullptr;
  cublasLtHandle_t blas = nullptr;
  std::map<ConvolutionKey, ConvolutionPlan> convolutions;
  std::map<MatmulKey, cublasLtMatmulAlgo_t> matmuls;
};

}  // namespace dml::cuda
