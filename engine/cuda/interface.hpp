#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/tensor.hpp"

/// What engine/device.cpp needs of CUDA, without any header of CUDA. Defined in engine/cuda/*.cu,
/// or, in a build without CUDA, by stand-ins that throw DeviceError in engine/device.cpp.
namespace dml::cuda {

class Context;

/// How many CUDA devices the driver shows; 0 without a driver.
int device_count();
/// "NVIDIA H200, 141 GB, compute capability 9.0"
std::string describe(int index);
std::shared_ptr<Context> open(int index);
/// "cuda:0"
std::string name(const Context& context);
std::shared_ptr<Storage> allocate(Context& context, std::size_t bytes);
/// Copies between host and device or on the device; pitches are honoured. A copy to the host waits
/// for it and counts as a host read. The context may be null when `from` lies on a device: the
/// storage knows its own.
void copy(Context* context, const Tensor& from, Tensor& to);
void clear(Context& context, Tensor& tensor);
void synchronize(Context& context);

}  // namespace dml::cuda
