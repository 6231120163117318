#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/convert.hpp"
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
  /// Calls whose tensors of bf16 went through copies in f32, because the slot takes none.
  std::int64_t widened() const { return widened_.load(std::memory_order_relaxed); }

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
  std::array<bool, backend_count> bf16_{};  // slots that take tensors of bf16 as they are
  mutable std::array<std::atomic<std::int64_t>, backend_count> uses_{};
  mutable std::atomic<std::int64_t> fallbacks_{0}, widened_{0};

 private:
  static inline constinit KernelBase* first_ = nullptr;
  KernelBase* next_ = nullptr;
  bool listed_ = false;
};

/// An argument of a kernel that takes no bf16: a tensor of bf16 is read and written through a copy
/// in f32, everything else is passed on.
template <class Arg> class Widened {
 public:
  Widened(Device&, Arg argument) : argument_(static_cast<Arg>(argument)) {}
  Arg get() { return static_cast<Arg>(argument_); }
  void store(Device&) {}

 private:
  Arg argument_;
};
template <> class Widened<const Tensor&> {
 public:
  Widened(Device& device, const Tensor& tensor) : wide_(widen(device, tensor)) {}
  const Tensor& get() { return wide_; }
  void store(Device&) {}

 private:
  Tensor wide_;
};
template <> class Widened<Tensor&> {
 public:
  Widened(Device& device, Tensor& tensor) : tensor_(tensor), wide_(widen(device, tensor)) {}
  Tensor& get() { return wide_.dtype() == tensor_.dtype() ? tensor_ : wide_; }
  void store(Device& device) {
    if (wide_.dtype() != tensor_.dtype()) convert(device, wide_, tensor_);
  }

 private:
  Tensor& tensor_;
  Tensor wide_;
};

template <class Signature> class Kernel;

/// One computation with up to one implementation per backend. Constant-initialised, so any source
/// file may fill a slot before main() begins, in any order. On a cpu device an empty slot, or a
/// call with an f64 tensor, runs the reference implementation: cpu kernels are written for f32
/// (some for bf16 too). An implementation that takes no bf16 gets such tensors as copies in f32,
/// and its results are rounded: right everywhere, and fast where it matters (takes_bf16).
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

  /// Promises that the slot's implementation computes on tensors of bf16 itself.
  bool takes_bf16(Backend backend) {
    bf16_[index(backend)] = true;
    return true;
  }

  /// Runs the implementation of the device's backend. @throws DeviceError when there is none.
  void operator()(Device& device, Args... args) const {
    Backend backend = device.backend();
    if (backend == Backend::cpu && (!has(backend) || (holds(args, DType::f64) || ...))) {
      backend = Backend::reference;
      fallbacks_.fetch_add(1, std::memory_order_relaxed);
    }
    if (!has(backend))
      throw DeviceError(std::string(name_) + ": this build has no " + dml::name_of(backend) +
                        " kernel for it\n  dmlinfo lists what is compiled in");
    uses_[index(backend)].fetch_add(1, std::memory_order_relaxed);
    if (!bf16_[index(backend)] && (holds(args, DType::bf16) || ...)) {
      widened_.fetch_add(1, std::memory_order_relaxed);
      return run_widened(slot_[index(backend)], device, static_cast<Args>(args)...);
    }
    slot_[index(backend)](device, static_cast<Args>(args)...);
  }

 private:
  template <class T> static bool holds(const T& argument, DType type) {
    if constexpr (std::is_same_v<std::remove_cvref_t<T>, Tensor>) {
      return argument.defined() && argument.dtype() == type;
    } else {
      return false;
    }
  }

  static void run_widened(Function function, Device& device, Args... args) {
    std::tuple<Widened<Args>...> wide{Widened<Args>(device, static_cast<Args>(args))...};
    std::apply([&](auto&... one) { function(device, one.get()...); }, wide);
    std::apply([&](auto&... one) { (one.store(device), ...); }, wide);
  }

  std::array<Function, backend_count> slot_{};
};

}  // namespace dml
