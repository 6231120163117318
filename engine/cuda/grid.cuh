#pragma once
#include <cuda_runtime.h>

#include "engine/cuda/context.cuh"

namespace dml::cuda {

/// Starts a kernel on the stream of the context: the only launch in the program. A launch that
/// could not be made is reported here; in debug builds also an error inside the kernel.
template <class... Parameters, class... Arguments>
void launch(Context& context, void (*kernel)(Parameters...), dim3 grid, dim3 block, Where where,
            const Arguments&... arguments) {
  kernel<<<grid, block, 0, context.stream()>>>(arguments...);
  check(cudaGetLastError(), "kernel launch", where);
#ifndef NDEBUG
  check(cudaStreamSynchronize(context.stream()), "kernel", where);
#endif
}

}  // namespace dml::cuda
