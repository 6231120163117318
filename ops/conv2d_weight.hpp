#pragma once
#include "ops/conv2d.hpp"

namespace dml {

/// The weight gradient of a convolution without groups, in f32, by an own kernel for AVX-512:
/// faster than oneDNN 2.6 on channels-last maps (docs/performance.md). Takes every window, stride,
/// pad and dilation. Returns false, having done nothing, where it is not the better choice: on
/// other processors, and with too few channels to fill a vector.
///
/// @param x  [n, h, w, c], dy [n, oh, ow, k], dweight [k, r, s, c], all packed.
bool conv2d_weight_gradient(Device& device, const Tensor& x, const Tensor& dy,
                            const Conv2dOptions& options, Tensor& dweight);

}  // namespace dml
