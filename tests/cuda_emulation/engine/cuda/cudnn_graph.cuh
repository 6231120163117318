#pragma once
#include <cudnn.h>

#include "engine/cuda/convolution_key.hpp"
#include "engine/error.hpp"

namespace dml::cuda {

/// Throws unless the call succeeded.
inline void check(cudnnStatus_t status, const char* call, Where where = Where::here()) {
  if (status != CUDNN_STATUS_SUCCESS) throw DeviceError(call, where);
}

/// Stands in for cuDNN's plan: the same interface, plain loops in f32.
class ConvolutionPlan {
 public:
  ConvolutionPlan(cudnnHandle_t, const ConvolutionKey& key) : key_(key) { summary_.found = true; }
  bool found() const { return key_.type == DType::f32 || key_.type == DType::bf16; }
  const PlanSummary& summary() const { return summary_; }

  struct Tensors {
    const void *x, *weight, *y, *bias, *residual;
  };
  void run(cudnnHandle_t handle, const Tensors& tensors, void* workspace) const;

 private:
  ConvolutionKey key_;
  PlanSummary summary_;
};

}  // namespace dml::cuda
