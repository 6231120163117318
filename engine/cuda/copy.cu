#include "engine/cuda/context.cuh"
#include "engine/cuda/interface.hpp"

namespace dml::cuda {
namespace {

/// The context of a tensor that lies on a device.
Context& context_of(const Tensor& tensor) {
  return *static_cast<const DeviceStorage&>(*tensor.storage()).context;
}

}  // namespace

void copy(Context* context, const Tensor& from, Tensor& to) {
  if (from.size() == 0) return;
  Context& on = context != nullptr            ? *context
                : from.place() == Place::cuda ? context_of(from)
                                              : context_of(to);
  on.activate();
  const bool to_host = to.place() == Place::host;
  const cudaMemcpyKind kind = to_host                       ? cudaMemcpyDeviceToHost
                              : from.place() == Place::host ? cudaMemcpyHostToDevice
                                                            : cudaMemcpyDeviceToDevice;
  if (from.packed() && to.packed()) {
    check(cudaMemcpyAsync(to.raw_bytes(), from.raw_bytes(), from.bytes(), kind, on.stream()),
          "cudaMemcpyAsync");
  } else {
    const std::size_t item = item_size(from.dtype());
    check(cudaMemcpy2DAsync(to.raw_bytes(), static_cast<std::size_t>(to.pitch()) * item,
                            from.raw_bytes(), static_cast<std::size_t>(from.pitch()) * item,
                            static_cast<std::size_t>(from.row_length()) * item,
                            static_cast<std::size_t>(from.row_count()), kind, on.stream()),
          "cudaMemcpy2DAsync");
  }
  // From pageable host memory the call has read its source when it returns, so only a copy to the
  // host waits.
  if (!to_host) return;
  note_host_read();
  check(cudaStreamSynchronize(on.stream()), "work on the device before a copy to the host");
}

void clear(Context& context, Tensor& tensor) {
  if (tensor.bytes() == 0) return;
  context.activate();
  check(cudaMemsetAsync(tensor.raw_bytes(), 0, tensor.bytes(), context.stream()),
        "cudaMemsetAsync");
}

}  // namespace dml::cuda
