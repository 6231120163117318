#pragma once
#include "ops/conv2d.hpp"

/// Convolution in f32 as matrix products over gathered windows ("im2col"), one image at a time, for
/// the shapes that the library does not take: groups, rare dilations and pads.
namespace dml::columns {

/// As kernel::conv2d_fwd.
void forward(Device& device, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
             const Conv2dEpilogue& epilogue, Tensor& y);
/// As kernel::conv2d_bwd_data.
void backward_data(Device& device, const Tensor& dy, const Tensor& weight,
                   const Conv2dOptions& options, Tensor& dx);
/// As kernel::conv2d_bwd_weight, without the bias.
void backward_weight(Device& device, const Tensor& x, const Tensor& dy,
                     const Conv2dOptions& options, Tensor& dweight);

}  // namespace dml::columns
