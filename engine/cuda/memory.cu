#include <cuda_runtime_api.h>

#include <bit>
#include <string>

#include "engine/cuda/check.cuh"
#include "engine/cuda/memory.cuh"
#include "engine/error.hpp"

namespace dml::cuda {
namespace {

/// Sizes are rounded up to eighths of a power of two, so that tensors of nearly equal size share
/// blocks and at most an eighth is lost.
std::size_t rounded(std::size_t bytes) {
  constexpr std::size_t least = 512;
  if (bytes <= least) return least;
  const std::size_t step = std::max(least, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

std::string mebibytes(std::size_t bytes) { return std::to_string(bytes >> 20U) + " MiB"; }

}  // namespace

Memory::~Memory() { drop_all(); }

std::byte* Memory::take(std::size_t bytes, std::size_t& got) {
  if (bytes > (std::size_t{1} << 46U))
    throw DeviceError("out of device memory: an impossible size");
  const std::lock_guard lock(mutex_);
  got = rounded(bytes);
  std::byte* block = nullptr;
  const auto found = free_.lower_bound(got);
  if (found != free_.end() && found->first <= got + got / 4) {
    block = found->second;
    got = found->first;
    cached_ -= got;
    free_.erase(found);
  } else {
    void* fresh = nullptr;
    cudaError_t status = cudaMalloc(&fresh, got);
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      drop_all();
      status = cudaMalloc(&fresh, got);
    }
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      throw DeviceError("out of device memory: " + mebibytes(got) + " asked for, " +
                        mebibytes(current_) +
                        " in use by this program\n  try a smaller --batch-size or --image-size");
    }
    check(status, "cudaMalloc");
    block = static_cast<std::byte*>(fresh);
  }
  current_ += got;
  if (current_ > peak_) peak_ = current_;
  return block;
}

void Memory::give_back(std::byte* block, std::size_t got) noexcept {
  const std::lock_guard lock(mutex_);
  current_ -= got;
  try {
    free_.emplace(got, block);
    cached_ += got;
  } catch (...) {  // no host memory for the entry: the driver takes the block
    static_cast<void>(cudaFree(block));
  }
}

void Memory::release() noexcept {
  const std::lock_guard lock(mutex_);
  drop_all();
}

// Errors of cudaFree are left: they come at the end of the process, when the driver is gone
// already, or repeat an error of an earlier kernel that its own check reports.
void Memory::drop_all() noexcept {
  for (const auto& [size, block] : free_) static_cast<void>(cudaFree(block));
  free_.clear();
  cached_ = 0;
}

std::size_t Memory::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}
std::size_t Memory::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}
std::size_t Memory::cached() const {
  const std::lock_guard lock(mutex_);
  return cached_;
}

}  // namespace dml::cuda
