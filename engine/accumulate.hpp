#pragma once
#include "engine/kernel.hpp"

namespace dml::kernel {

/// out = a + b of equal shapes; each may have a pitch; out may be a or b.
inline constinit Kernel<void(const Tensor& a, const Tensor& b, Tensor& out)> accumulate{
    "accumulate"};

}  // namespace dml::kernel
