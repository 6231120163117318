#include <string>

#include "engine/cuda/libraries.cuh"
#include "engine/error.hpp"

namespace dml::cuda {

void fail(cublasStatus_t status, const char* call, Where where) {
  throw DeviceError(std::string(call) + " failed: " + cublasLtGetStatusString(status) + " (" +
                        cublasLtGetStatusName(status) + ")",
                    where);
}

Libraries::Libraries(const Context& context) {
  context.activate();
  check(cudnnCreate(&cudnn), "cudnnCreate");
  check(cudnnSetStream(cudnn, context.stream()), "cudnnSetStream");
  check(cublasLtCreate(&blas), "cublasLtCreate");
}

Libraries::~Libraries() {
  convolutions.clear();
  // The driver may be shutting down: there is no one left to tell of an error.
  if (blas != nullptr) static_cast<void>(cublasLtDestroy(blas));
  if (cudnn != nullptr) static_cast<void>(cudnnDestroy(cudnn));
}

}  // namespace dml::cuda
