#pragma once
#include "engine/cuda/context.cuh"
#include "tests/cuda_emulation/fibers.hpp"

namespace dml::cuda {

/// Stands in for the launch on a GPU: all threads run here, now.
template <class... Parameters, class... Arguments>
void launch(Context&, void (*kernel)(Parameters...), dim3 grid, dim3 block, Where,
            const Arguments&... arguments) {
  emulation::run_grid(grid, block, [&] { kernel(arguments...); });
}

}  // namespace dml::cuda
