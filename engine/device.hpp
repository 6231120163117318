#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/tensor.hpp"

namespace dml {

/// The kinds of implementation that a kernel may have.
enum class Backend : std::uint8_t { reference, cpu, cuda };
inline constexpr int backend_count = 3;

/// "reference", "cpu" or "cuda".
const char* name_of(Backend backend);

namespace cuda {
class Context;  // engine/cuda/context.cuh: stream, library handles, allocator
}

/// Where kernels run: a backend with its stream, library handles, allocator and scratch memory.
/// It is created by the program and passed on; it is not found. Not copyable.
class Device {
 public:
  /// @param name     "reference", "cpu", "cuda", "cuda:N", or "auto" (cuda if there is one).
  /// @param threads  of the cpu backend; 0 takes the number of cores that this process may use.
  /// @throws DeviceError when the device is absent or not in this build, UsageError for other
  /// names.
  static Device open(const std::string& name, int threads = 0);

  explicit Device(Backend backend, int threads = 1);
  Device(Device&&) noexcept;
  Device& operator=(Device&&) noexcept;
  ~Device();

  Backend backend() const { return backend_; }
  /// "cpu" or "cuda:0".
  std::string name() const;
  /// How many threads the kernels of the cpu backend use.
  int threads() const { return threads_; }
  /// Whether products of bf16 are an own, fast operation here: on every GPU that is taken, and on
  /// processors with AVX512-BF16. The reference backend says yes: nothing is fast there.
  bool computes_bf16() const;
  Place place() const { return backend_ == Backend::cuda ? Place::cuda : Place::host; }

  /// A tensor on this device whose elements are not set yet.
  Tensor empty(const Shape& shape, DType type) const;
  /// A tensor of zeros on this device.
  Tensor zeros(const Shape& shape, DType type) const;
  /// The tensor on this device: itself, if it is there already.
  Tensor upload(const Tensor& tensor) const;
  /// This tensor if it is packed, else a packed copy on this device.
  Tensor dense(const Tensor& tensor) const;
  /// Copies the elements of `from` to `to` (equal shape and type; either may have a pitch).
  void copy(const Tensor& from, Tensor& to) const;
  /// Sets every byte of a packed tensor to zero.
  void clear(Tensor& tensor) const;
  /// Waits until all work given to this device is done.
  void synchronize() const;

  /// The CUDA side of a cuda device; null elsewhere.
  cuda::Context* cuda() const { return cuda_.get(); }

  /// How often a device value was read on the host since the start of the program (tests assert
  /// that a step, which is to be captured, reads none). The cpu and reference backends count what
  /// would be a read if they were a GPU: Storage::of_device.
  std::int64_t host_reads() const;

 private:
  Backend backend_;
  int threads_ = 1;
  std::shared_ptr<cuda::Context> cuda_;
};

/// Whether this build has the backend, and whether a device for it is present.
struct BackendState {
  bool built = false;
  bool present = false;
  std::string detail;
};
/// Looks whether the backend can be used here; never throws.
BackendState backend_state(Backend backend);
/// The backends that can run here: always reference and cpu.
std::vector<Backend> present_backends();

/// A host tensor with the elements of a tensor on a device.
Tensor copy_to_host(const Tensor& tensor);

}  // namespace dml
