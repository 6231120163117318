#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>

#include "engine/cuda/check.cuh"
#include "engine/cuda/memory.cuh"
#include "engine/device.hpp"
#include "engine/tensor.hpp"

namespace dml::cuda {

struct Libraries;  // engine/cuda/libraries.cuh

/// One GPU as this program uses it: one stream, on which everything runs in order, the memory
/// cache, and the handles of cuDNN and cuBLASLt (made at first use).
class Context : public std::enable_shared_from_this<Context> {
 public:
  /// @throws DeviceError when the GPU is absent or too old for the compiled kernels.
  explicit Context(int index);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  int index() const { return index_; }
  cudaStream_t stream() const { return stream_; }
  /// How many multiprocessors the GPU has.
  int multiprocessors() const { return multiprocessors_; }
  Memory& memory() { return memory_; }

  /// Makes this GPU the current one of the calling thread; every entry into CUDA begins with it.
  void activate() const { check(cudaSetDevice(index_), "cudaSetDevice"); }

  /// Handles and caches of cuDNN and cuBLASLt.
  Libraries& libraries();

  /// See allow_tf32 (engine/cuda/convolution_key.hpp).
  bool tf32() const { return tf32_; }
  void set_tf32(bool on) { tf32_ = on; }

 private:
  int index_;
  int multiprocessors_ = 0;
  bool tf32_ = false;
  cudaStream_t stream_ = nullptr;
  Memory memory_;
  std::unique_ptr<Libraries> libraries_;
};

/// The context that a kernel of this device runs on, made current.
inline Context& context_of(const Device& device) {
  Context& context = *device.cuda();
  context.activate();
  return context;
}

/// Memory that one kernel hands to the next, given back when the object dies; stream order keeps
/// it safe until the kernels are done.
class Temporary {
 public:
  Temporary(Context& context, std::size_t bytes)
      : memory_(context.memory()), bytes_(memory_.take(bytes, got_)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { memory_.give_back(bytes_, got_); }

  /// The memory as elements of T.
  template <class T> T* as() const { return reinterpret_cast<T*>(bytes_); }

 private:
  Memory& memory_;
  std::size_t got_ = 0;
  std::byte* bytes_;
};

/// Memory of a tensor; knows its context, which lives at least as long.
struct DeviceStorage : Storage {
  DeviceStorage(std::shared_ptr<Context> owner, std::size_t wanted);
  DeviceStorage(const DeviceStorage&) = delete;
  DeviceStorage& operator=(const DeviceStorage&) = delete;
  ~DeviceStorage();

  std::shared_ptr<Context> context;
};

}  // namespace dml::cuda
