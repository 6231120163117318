#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/device.hpp"

namespace dml {

/// What all kernels have in common: a name, who filled which slot, and how often each ran.
class KernelBase {
 public:
  constexpr explicit KernelBase(const char* name) : name_(name) {}

  const char* name() const { return name_; }
  bool has(Backend backend) const { return file_[index(backend)] != nullptr; }
  /// The source file that filled the slot of this backend; null when none did.
  const char* file(Backend backend) const { return file_[index(backend)]; }
  /// How often the slot of this backend ran; tests read it to prove that none is unchecked.
  std::int64_t uses(Backend backend) const {
    return uses_[index(backend)].load(std::memory_order_relaxed);
  }
  /// Calls on a cpu device that the reference slot served, because the cpu slot is empty.
  std::int64_t fallbacks() const { return fallbacks_.load(std::memory_order_relaxed); }

  /// All kernels of which some slot was filled, in no particular order.
  static std::vector<const KernelBase*> all() {
    std::vector<const KernelBase*> kernels;
    for (const KernelBase* k = first_; k != nullptr; k = k->next_) kernels.push_back(k);
    return kernels;
  }

 protected:
  static constexpr std::size_t index(Backend backend) { return static_cast<std::size_t>(backend); }

  /// Notes that `file` fills a slot; a second filling aborts at start-up with both file names.
  void claim(Backend backend, const char* file) {
    const char*& owner = file_[index(backend)];
    if (owner != nullptr) {
      std::fprintf(stderr, "kernel '%s' (%s) is defined in %s and in %s\n", name_,
                   dml::name_of(backend), owner, file);
      std::abort();
    }
    if (!listed_) {
      next_ = first_;
      first_ = this;
      listed_ = true;
    }
    owner = file;
  }

  const char* name_;
  std::array<const char*, backend_count> file_{};
  mutable std::array<std::atomic<std::int64_t>, backend_count> uses_{};
  mutable std::atomic<std::int64_t> fallbacks_{0};

 private:
  static inline constinit KernelBase* first_ = nullptr;
  KernelBase* next_ = nullptr;
  bool listed_ = false;
};

template <class Signature> class Kernel;

/// One computation with up to one implementation per backend. Constant-initialised, so any source
/// file may fill a slot before main() begins, in any order. On a cpu device an empty slot, or a
/// call with an f64 tensor, runs the reference implementation: cpu kernels are written for f32
/// and bf16 alone.
template <class... Args> class Kernel<void(Args...)> : public KernelBase {
 public:
  using Function = void (*)(Device&, Args...);

  constexpr explicit Kernel(const char* name) : KernelBase(name) {}

  /// Fills the slot. Returns true, so that a namespace-scope constant can hold the call.
  bool add(Backend backend, Function function, const char* file = __builtin_FILE()) {
    claim(backend, file);
    slot_[index(backend)] = function;
    return true;
  }

  /// Runs the implementation of the device's backend. @throws DeviceError when there is none.
  void operator()(Device& device, Args... args) const {
    Backend backend = device.backend();
    if (backend == Backend::cpu && (!has(backend) || (holds_f64(args) || ...))) {
      backend = Backend::reference;
      fallbacks_.fetch_add(1, std::memory_order_relaxed);
    }
    if (!has(backend))
      throw DeviceError(std::string(name_) + ": this build has no " + dml::name_of(backend) +
                        " kernel for it\n  dmlinfo lists what is compiled in");
    uses_[index(backend)].fetch_add(1, std::memory_order_relaxed);
    slot_[index(backend)](device, static_cast<Args>(args)...);
  }

 private:
  template <class T> static bool holds_f64(const T& argument) {
    if constexpr (std::is_same_v<std::remove_cvref_t<T>, Tensor>) {
      return argument.defined() && argument.dtype() == DType::f64;
    } else {
      return false;
    }
  }

  std::array<Function, backend_count> slot_{};
};

}  // namespace dml
