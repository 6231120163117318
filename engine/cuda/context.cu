#include <string>

#include "engine/cuda/context.cuh"
#include "engine/cuda/convolution_key.hpp"
#include "engine/cuda/interface.hpp"
#include "engine/cuda/libraries.cuh"
#include "engine/error.hpp"

namespace dml::cuda {

void fail(cudaError_t status, const char* call, Where where) {
  static_cast<void>(cudaGetLastError());  // a sticky error is reported once
  throw DeviceError(std::string(call) + " failed: " + cudaGetErrorString(status) + " (" +
                        cudaGetErrorName(status) + ")",
                    where);
}

Context::Context(int index) : index_(index) {
  activate();
  int major = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index),
        "cudaDeviceGetAttribute");
  if (major < 8)
    throw DeviceError("device cuda:" + std::to_string(index) + " is " + describe(index) +
                      ": compute capability 8.0 or later is needed\n  use --device cpu");
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, index),
        "cudaDeviceGetAttribute");
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

void allow_tf32(Context& context) { context.set_tf32(true); }

Context::~Context() {
  // The driver may be shutting down: there is no one left to tell of an error.
  static_cast<void>(cudaSetDevice(index_));
  static_cast<void>(cudaStreamSynchronize(stream_));
  libraries_.reset();
  memory_.release();
  static_cast<void>(cudaStreamDestroy(stream_));
}

Libraries& Context::libraries() {
  if (!libraries_) libraries_ = std::make_unique<Libraries>(*this);
  return *libraries_;
}

DeviceStorage::DeviceStorage(std::shared_ptr<Context> owner, std::size_t wanted)
    : context(std::move(owner)) {
  bytes = context->memory().take(wanted, size);
  place = Place::cuda;
}

DeviceStorage::~DeviceStorage() { context->memory().give_back(bytes, size); }

int device_count() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) == cudaSuccess) return devices;
  static_cast<void>(cudaGetLastError());  // no driver is no error: there is no device
  return 0;
}

std::string describe(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  constexpr double giga = 1e9;
  return std::string(properties.name) + ", " +
         std::to_string(static_cast<int>(static_cast<double>(properties.totalGlobalMem) / giga)) +
         " GB, compute capability " + std::to_string(properties.major) + "." +
         std::to_string(properties.minor);
}

std::shared_ptr<Context> open(int index) { return std::make_shared<Context>(index); }

std::string name(const Context& context) { return "cuda:" + std::to_string(context.index()); }

std::shared_ptr<Storage> allocate(Context& context, std::size_t bytes) {
  context.activate();
  return std::make_shared<DeviceStorage>(context.shared_from_this(), bytes);
}

void synchronize(Context& context) {
  context.activate();
  check(cudaStreamSynchronize(context.stream()), "work on the device");
}

}  // namespace dml::cuda
