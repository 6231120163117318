#pragma once
#include <cstddef>
#include <memory>

#include "engine/tensor.hpp"

namespace dml::cpu {

/// Host memory, 64-byte aligned, not set. Freed blocks are kept and handed out again, because
/// fresh pages cost more than most kernels (the kernel zeroes them one by one).
/// @throws DeviceError when the system has no memory left.
std::shared_ptr<Storage> allocate(std::size_t bytes);

/// Bytes in use by tensors, and the most there were since reset_peak().
struct MemoryUse {
  std::size_t current = 0;
  std::size_t peak = 0;
  std::size_t cached = 0;
};
/// What tensors on the host use now.
MemoryUse memory_use();
/// Starts the peak anew from what is in use.
void reset_peak();

/// Gives cached blocks back to the system.
void release_cached();

}  // namespace dml::cpu
