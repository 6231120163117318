#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// How the length of a row is kept from being zero; both are in use in published code.
enum class NormFloor : std::uint8_t {
  maximum,  ///< x / max(||x||, eps)         (torch.nn.functional.normalize)
  added,    ///< x / sqrt(||x||^2 + eps)     (Proxy-Anchor, RCDML)
};

/// Scales every row of x to unit Euclidean length.
///
/// @param x    [n, d], floating point.
/// @param eps  see NormFloor. With `maximum`, a row shorter than eps is divided by eps, and its
///             gradient is dy / eps.
/// @return     [n, d]
/// @throws     ShapeError when x has not two dimensions.
Var l2_normalize(const Var& x, double eps = 1e-12, NormFloor floor = NormFloor::maximum);

namespace kernel {
/// divisor [n]: what every row was divided by.
inline constinit Kernel<void(const Tensor& x, double eps, NormFloor floor, Tensor& y,
                             Tensor& divisor)>
    l2_normalize_fwd{"l2_normalize"};
inline constinit Kernel<void(const Tensor& y, const Tensor& divisor, double eps, NormFloor floor,
                             const Tensor& dy, Tensor& dx)>
    l2_normalize_bwd{"l2_normalize backward"};
}  // namespace kernel

}  // namespace dml
