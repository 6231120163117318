#pragma once
#include <span>
#include <vector>

#include "engine/tensor.hpp"

namespace dml {

/// The min(n, d) singular values of a matrix, descending, in f64. A QR decomposition by blocks of
/// rows (memory d x d and one block), then one-sided Jacobi rotations of the triangle: values much
/// smaller than the largest keep their digits, which those of x^T x would lose.
/// @param x  [n, d] f32 or f64 on the host, finite
std::vector<double> singular_values(const Tensor& x, int threads);

/// The entropy of values divided by their sum, in nats; 0 when the sum is 0.
double spectral_entropy(std::span<const double> values);

}  // namespace dml
