#pragma once
#include "engine/kernel.hpp"

namespace dml::kernel {

/// y_i = sum_j w_ij x_j, a matrix product whose left side may hold few entries: a loss with margins
/// has a gradient for few pairs only. The cpu kernel adds up just those where that is the shorter
/// way; a row leaves out what weighs less than 2^-22 of its sum of |w|, which is below the rounding
/// of the full product in f32.   [n, q], [q, d] -> [n, d], all packed
inline constinit Kernel<void(const Tensor& w, const Tensor& x, Tensor& y)> mix_rows{"mix rows"};

}  // namespace dml::kernel
