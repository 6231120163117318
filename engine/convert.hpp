#pragma once
#include "engine/device.hpp"

namespace dml {

/// to = from with the elements converted between f32, f64 and bf16 (to nearest even), on the
/// device. Equal shapes; either may have a pitch.
void convert(Device& device, const Tensor& from, Tensor& to);
/// A packed copy with elements of that type; the tensor itself when it has it (or is undefined).
Tensor converted(Device& device, const Tensor& tensor, DType type);
/// A tensor of bf16 as a copy in f32; any other as it is.
inline Tensor widen(Device& device, const Tensor& tensor) {
  return converted(device, tensor, work_type(tensor.dtype()));
}

}  // namespace dml
