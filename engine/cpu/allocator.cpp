#include "engine/cpu/allocator.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

#include "engine/error.hpp"

namespace dml::cpu {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t huge_page = std::size_t{1} << 21U;
constexpr std::size_t small = 1 << 16;                 // below this malloc is as good as a cache
constexpr std::size_t spare = std::size_t{16} << 20U;  // see give_back

/// Memory from the system. Large blocks ask for huge pages: fewer faults when they are first
/// written, and fewer look-ups of addresses ever after.
void* fresh(std::size_t size) {
  // Not aligned_alloc: that wants sizes that are multiples of the alignment.
  void* block = nullptr;
  if (posix_memalign(&block, size < huge_page ? alignment : huge_page, size) != 0) return nullptr;
  // Best effort: a system that does not know the advice gives ordinary pages.
  if (size >= huge_page)
    static_cast<void>(madvise(block, size / huge_page * huge_page, MADV_HUGEPAGE));
  return block;
}

/// Free blocks by size. A block serves a request that fills at least 7/8 of it.
class Cache {
 public:
  std::byte* take(std::size_t wanted, std::size_t& got) {
    const std::lock_guard lock(mutex_);
    const auto found = free_.lower_bound(wanted);
    if (found != free_.end() && found->first <= wanted + wanted / 8) {
      std::byte* block = found->second;
      got = found->first;
      cached_ -= got;
      free_.erase(found);
      count(got);
      return block;
    }
    got = wanted;
    void* block = fresh(wanted);
    if (block == nullptr) {
      drop_all();
      block = fresh(wanted);
    }
    if (block == nullptr)
      throw DeviceError("out of memory: " + std::to_string(wanted >> 20U) + " MiB asked for, " +
                        std::to_string(current_ >> 20U) +
                        " MiB in use\n  try a smaller --batch-size or --image-size");
    count(wanted);
    return static_cast<std::byte*>(block);
  }

  void give_back(std::byte* block, std::size_t size) {
    const std::lock_guard lock(mutex_);
    current_ -= size;
    // A cache is not to raise the most that was in use, but for a little: blocks of odd sizes would
    // otherwise push out others in every step, and their pages be cleared anew.
    if (size < small || current_ + cached_ + size > most_ + spare) {
      std::free(block);
      return;
    }
    free_.emplace(size, block);
    cached_ += size;
  }

  MemoryUse use() {
    const std::lock_guard lock(mutex_);
    return {current_, peak_, cached_};
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    peak_ = current_;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    drop_all();
  }

 private:
  void count(std::size_t size) {
    current_ += size;
    peak_ = std::max(peak_, current_);
    most_ = std::max(most_, current_);
    // Blocks of sizes that no longer occur must not pile up beside new ones.
    while (current_ + cached_ > most_ + spare && !free_.empty()) {
      const auto largest = std::prev(free_.end());
      std::free(largest->second);
      cached_ -= largest->first;
      free_.erase(largest);
    }
  }
  void drop_all() {
    for (const auto& [size, block] : free_) std::free(block);
    free_.clear();
    cached_ = 0;
  }

  std::mutex mutex_;
  std::multimap<std::size_t, std::byte*> free_;
  std::size_t current_ = 0, cached_ = 0;
  std::size_t peak_ = 0;  // since reset_peak
  std::size_t most_ = 0;  // ever
};

/// Never destroyed: tensors with static lifetime may outlive any order of destruction.
Cache& cache() {
  static Cache& instance = *new Cache;
  return instance;
}

}  // namespace

std::shared_ptr<Storage> allocate(std::size_t bytes) {
  if (bytes > (std::size_t{1} << 46U)) throw DeviceError("out of memory: an impossible size");
  const std::size_t wanted = (bytes + alignment - 1) / alignment * alignment;
  std::size_t got = 0;
  std::byte* block = cache().take(wanted == 0 ? alignment : wanted, got);
  return {new Storage{block, got, Place::host}, [](Storage* storage) {
            cache().give_back(storage->bytes, storage->size);
            delete storage;
          }};
}

MemoryUse memory_use() { return cache().use(); }
void reset_peak() { cache().reset_peak(); }
void release_cached() { cache().release(); }

}  // namespace dml::cpu
