#pragma once
#include "engine/kernel.hpp"

namespace dml::kernel {

/// to = from; each of f32, f64 or bf16, each may have a pitch.
inline constinit Kernel<void(const Tensor& from, Tensor& to)> convert{"convert"};

}  // namespace dml::kernel
