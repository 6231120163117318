#pragma once
#include <cudnn.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/cuda/convolution_key.hpp"
#include "engine/where.hpp"

namespace dml::cuda {

/// @throws DeviceError with the name of the call and cuDNN's own words.
[[noreturn]] void fail(cudnnStatus_t status, const char* call, Where where);

/// Throws DeviceError unless the call succeeded.
inline void check(cudnnStatus_t status, const char* call, Where where = Where::here()) {
  if (status != CUDNN_STATUS_SUCCESS) fail(status, call, where);
}

/// Owns an object of cuDNN's graph interface.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  Descriptor(Descriptor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Descriptor();

  cudnnBackendDescriptor_t get() const { return handle_; }

  /// Sets an attribute to `count` values.
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
           const void* values);
  void set(cudnnBackendAttributeName_t name, const Descriptor& value);
  void set(cudnnBackendAttributeName_t name, std::int64_t value);
  /// No more changes. @throws DeviceError when cuDNN cannot take the attributes together.
  void finalize(const char* what);

 private:
  cudnnBackendDescriptor_t handle_ = nullptr;
};

/// A convolution that cuDNN is ready to run.
class ConvolutionPlan {
 public:
  /// The first plan of cuDNN's own order whose engine repeats its bits and keeps the precision of
  /// the key's element type (in f32: no Winograd, TF32 only if allowed), with a workspace of at
  /// most 1 GiB.
  /// @param handle  of the GPU; or null, then `device` describes it and the plan cannot run.
  /// found() is false when there is none; summary() says why.
  ConvolutionPlan(cudnnHandle_t handle, const ConvolutionKey& key,
                  const Descriptor* device = nullptr);

  bool found() const { return summary_.found; }
  const PlanSummary& summary() const { return summary_; }

  /// Addresses of the tensors; those that the key does not have are null. With backward_data x is
  /// written, with backward_weight the weight, with forward y.
  struct Tensors {
    const void *x, *weight, *y, *bias, *residual;
  };
  void run(cudnnHandle_t handle, const Tensors& tensors, void* workspace) const;

 private:
  bool try_engines(cudnnHandle_t handle, const Descriptor* device, const Descriptor& graph,
                   cudnnBackendHeurMode_t mode, const ConvolutionKey& key);
  bool accept(cudnnHandle_t handle, const Descriptor* device, const Descriptor& config,
              const ConvolutionKey& key);

  Descriptor plan_;
  PlanSummary summary_;
};

}  // namespace dml::cuda
