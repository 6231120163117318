#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "engine/cpu/parallel.hpp"
#include "engine/kernel.hpp"

namespace dml {

/// Most tensors of state that a rule keeps for a parameter.
inline constexpr int most_moments = 3;
/// Most numbers that a rule is given for a parameter in a step.
inline constexpr int most_scalars = 12;

/// One parameter in a step. All tensors are packed, of one shape and element type.
struct Update {
  Tensor value;
  Tensor gradient;
  std::array<Tensor, most_moments> moments;  ///< the first Rule::moments are defined
};

/// One step of a rule over all parameters in one pass: value, gradient and state of every element
/// are read once and written once.
///
/// A rule is a functor that every backend instantiates:
///   static constexpr const char* name;
///   static constexpr int moments, scalars;
///   template <class T> DML_HOST_DEVICE void operator()(T& p, T g, T* moment, const T* scalar)
///   const;
/// It may have members (flags); it is copied to where it runs. `scalars` is [updates,
/// Rule::scalars] of the element type of the parameters, on the device: whatever changes from step
/// to step (rate, bias corrections) is in there, so that a captured step can be replayed.
template <class Rule> struct FusedStep {
  static_assert(Rule::moments <= most_moments && Rule::scalars <= most_scalars);
  static inline constinit Kernel<void(const Rule&, std::span<const Update>, const Tensor& scalars)>
      kernel{Rule::name};
};

namespace fused {

/// Elements [first, last) of one parameter.
template <class T, class Rule>
void run(const Rule& rule, const Update& update, const T* scalars, std::int64_t first,
         std::int64_t last) {
  T* const value = update.value.raw<T>();
  const T* const gradient = update.gradient.raw<T>();
  std::array<T*, most_moments> moments{};
  for (std::size_t m = 0; m < Rule::moments; ++m) moments[m] = update.moments[m].raw<T>();
  std::array<T, most_scalars> scalar{};
  for (std::size_t s = 0; s < Rule::scalars; ++s) scalar[s] = scalars[s];
#pragma omp simd
  for (std::int64_t i = first; i < last; ++i) {
    T moment[most_moments];
    for (int m = 0; m < Rule::moments; ++m) moment[m] = moments[static_cast<std::size_t>(m)][i];
    T p = value[i];
    rule(p, gradient[i], moment, scalar.data());
    value[i] = p;
    for (int m = 0; m < Rule::moments; ++m) moments[static_cast<std::size_t>(m)][i] = moment[m];
  }
}

/// All parameters, one after the other.
template <class Rule>
void reference(Device&, const Rule& rule, std::span<const Update> updates, const Tensor& scalars) {
  if (updates.empty()) return;
  visit_float(scalars.dtype(), [&]<class T>() {
    const T* scalar = scalars.raw<T>();
    for (const Update& update : updates) {
      run<T>(rule, update, scalar, 0, update.value.size());
      scalar += Rule::scalars;
    }
  });
}

/// All parameters laid end to end and cut into one part per thread: small tensors cost no wake-up.
template <class Rule>
void threaded(Device& device, const Rule& rule, std::span<const Update> updates,
              const Tensor& scalars) {
  std::int64_t total = 0;
  for (const Update& update : updates) total += update.value.size();
  visit_float(scalars.dtype(), [&]<class T>() {
    cpu::parallel_for(device.threads(), total, 1 << 14, [&](std::int64_t first, std::int64_t last) {
      std::int64_t begin = 0;
      const T* scalar = scalars.raw<T>();
      for (const Update& update : updates) {
        const std::int64_t end = begin + update.value.size();
        const std::int64_t from = std::max(first, begin), to = std::min(last, end);
        if (from < to) run<T>(rule, update, scalar, from - begin, to - begin);
        begin = end;
        scalar += Rule::scalars;
      }
    });
  });
}

}  // namespace fused

/// Fills the reference and cpu slots of FusedStep<Rule>.
template <class Rule> bool add_rule(const char* file = __builtin_FILE()) {
  return FusedStep<Rule>::kernel.add(Backend::reference, fused::reference<Rule>, file) &&
         FusedStep<Rule>::kernel.add(Backend::cpu, fused::threaded<Rule>, file);
}

}  // namespace dml
