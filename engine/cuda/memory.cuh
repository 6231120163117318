#pragma once
#include <cstddef>
#include <map>
#include <mutex>

namespace dml::cuda {

/// Device memory that is kept and handed out again: asking the driver costs more than most kernels
/// and waits for the device. A block given back may be handed out at once, because all work of a
/// context runs on one stream: whatever still reads it runs before whatever writes it next.
/// Safe from any thread; the caller has made the device current.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  /// A block of at least `bytes` bytes, 256-byte aligned, not set; `got` is its true size.
  /// @throws DeviceError when the device has no memory left, even after release().
  std::byte* take(std::size_t bytes, std::size_t& got);
  /// Takes a block back. Never throws.
  void give_back(std::byte* block, std::size_t got) noexcept;
  /// Gives all blocks that are not in use back to the driver; waits for the device.
  void release() noexcept;

  /// Bytes in use now.
  std::size_t current() const;
  /// The most bytes that were in use at one time.
  std::size_t peak() const;
  /// Bytes kept for the next request.
  std::size_t cached() const;

 private:
  void drop_all() noexcept;

  mutable std::mutex mutex_;
  std::multimap<std::size_t, std::byte*> free_;
  std::size_t current_ = 0, peak_ = 0, cached_ = 0;
};

}  // namespace dml::cuda
