#pragma once
#include <algorithm>
#include <array>

#include "dml/optimizers/fused.hpp"
#include "engine/cuda/launch.cuh"

namespace dml {
namespace fused {

/// How many parameters one launch steps: their addresses are arguments of the kernel, of which
/// there is room for 4 KiB.
inline constexpr std::size_t parameters_per_launch = 64;

/// The addresses of a parameter in a step.
template <class T> struct Addresses {
  T* value;
  const T* gradient;
  T* moment[most_moments];
  std::int64_t size;
};
template <class T> struct AddressTable { Addresses<T> at[parameters_per_launch]; };

/// Block (x, y) takes its share of the elements of parameter y.
template <class T, class Rule>
__global__ void __launch_bounds__(cuda::block_threads)
    step(const Rule rule, const AddressTable<T> table, const T* scalars) {
  const Addresses<T> own = table.at[blockIdx.y];
  T scalar[most_scalars];
  for (int s = 0; s < Rule::scalars; ++s) scalar[s] = scalars[blockIdx.y * Rule::scalars + s];
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < own.size; i += stride) {
    T moment[most_moments];
    for (int m = 0; m < Rule::moments; ++m) moment[m] = own.moment[m][i];
    T p = own.value[i];
    rule(p, own.gradient[i], moment, scalar);
    own.value[i] = p;
    for (int m = 0; m < Rule::moments; ++m) own.moment[m][i] = moment[m];
  }
}

template <class T, class Rule>
void cuda_steps(cuda::Context& context, const Rule& rule, std::span<const Update> updates,
                const T* scalars) {
  for (std::size_t first = 0; first < updates.size(); first += parameters_per_launch) {
    const auto part =
        updates.subspan(first, std::min(parameters_per_launch, updates.size() - first));
    AddressTable<T> table{};
    std::int64_t longest = 1;
    for (std::size_t u = 0; u < part.size(); ++u) {
      Addresses<T>& to = table.at[u];
      to.value = part[u].value.raw<T>();
      to.gradient = part[u].gradient.raw<T>();
      for (std::size_t m = 0; m < static_cast<std::size_t>(Rule::moments); ++m)
        to.moment[m] = part[u].moments[m].raw<T>();
      to.size = part[u].value.size();
      longest = std::max(longest, to.size);
    }
    constexpr std::int64_t per_block = 8 * cuda::block_threads;
    const dim3 grid(static_cast<unsigned>(std::clamp<std::int64_t>(longest / per_block, 1, 256)),
                    static_cast<unsigned>(part.size()));
    cuda::launch(context, step<T, Rule>, grid, cuda::block_threads, Where::here(), rule, table,
                 scalars + first * static_cast<std::size_t>(Rule::scalars));
  }
}

template <class Rule>
void on_cuda(Device& device, const Rule& rule, std::span<const Update> updates,
             const Tensor& scalars) {
  if (updates.empty()) return;
  cuda::Context& context = cuda::context_of(device);
  visit_float(scalars.dtype(),
              [&]<class T>() { cuda_steps<T, Rule>(context, rule, updates, scalars.raw<T>()); });
}

}  // namespace fused

/// Fills the cuda slot of FusedStep<Rule>.
template <class Rule> bool add_rule_cuda(const char* file = __builtin_FILE()) {
  return FusedStep<Rule>::kernel.add(Backend::cuda, fused::on_cuda<Rule>, file);
}

}  // namespace dml
