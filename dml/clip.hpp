#pragma once
#include <span>

#include "engine/kernel.hpp"
#include "engine/parameter.hpp"

namespace dml {

/// Scales all gradients of a store, as one vector, so that their norm is at most `most`:
/// g *= min(1, most / (norm + 1e-6)), as PyTorch. Parameters without gradient are left out.
/// @param power  of the norm: 2 Euclidean, 1 sum of absolute values, infinity the largest of them.
/// @return       [] the norm before, on the device and not read on the host; of the gradients'
///               element type. Undefined when there is no gradient.
Tensor clip_gradient_norm(Device& device, ParameterStore& store, double most, double power = 2);

/// Cuts every element of every gradient to [-most, most].
void clip_gradient_value(Device& device, ParameterStore& store, double most);

namespace kernel {
/// norm [] of all elements of all tensors (packed, one type); f32 is added in f64.
inline constinit Kernel<void(std::span<const Tensor> gradients, double power, Tensor& norm)>
    gradient_norm{"gradient norm"};
/// Every element times min(1, most / (norm + 1e-6)).
inline constinit Kernel<void(const Tensor& norm, double most, std::span<const Tensor> gradients)>
    scale_gradients{"scale gradients"};
/// Every element cut to [-most, most].
inline constinit Kernel<void(double most, std::span<const Tensor> gradients)> cut_gradients{
    "cut gradients"};
}  // namespace kernel

}  // namespace dml
