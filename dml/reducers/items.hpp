#pragma once
#include "dml/items.hpp"
#include "engine/kernel.hpp"

namespace dml {

/// sum of weights[i] totals[i] over the sum of denominators; 0, with a gradient of 0, when that is
/// 0. Undefined weights are 1; undefined denominators divide by nothing.   [n] -> []
Var fraction(const Var& totals, const Tensor& weights, const Tensor& denominators);

/// totals / counts, 0 where a count is 0.   [n], [n] f64 -> [n]
Var anchor_means(const Var& totals, const Tensor& counts);

namespace kernel {

/// What the kernels below read besides values.
struct ListInputs {
  Tensor weights{}, anchors{};
  Bounds bounds{};
  Tensor counts{};  ///< [n] f64, written by the forward kernel
};
/// totals [n] and counts [n] of the values within bounds.
inline constinit Kernel<void(const Tensor& values, const ListInputs&, Tensor& totals)> sum_items{
    "sum items"};
inline constinit Kernel<void(const Tensor& values, const ListInputs&, const Tensor& up,
                             Tensor& dvalues)>
    sum_items_bwd{"sum items backward"};

/// Operands of fraction.
struct FractionInputs {
  Tensor weights{}, denominators{};
};
/// y = sum weights totals * factor;  factor [] = 1 / sum of denominators, or 0.
inline constinit Kernel<void(const Tensor& totals, const FractionInputs&, Tensor& y,
                             Tensor& factor)>
    fraction_fwd{"fraction"};
/// dtotals = dy weights factor
inline constinit Kernel<void(const Tensor& dy, const FractionInputs&, const Tensor& factor,
                             Tensor& dtotals)>
    fraction_bwd{"fraction backward"};

/// What inverse_counts reads; f64 beside the element type of the result.
struct Counts {
  Tensor of{};
};
/// inverse = 1 / counts, 0 where a count is 0.
inline constinit Kernel<void(const Counts& counts, Tensor& inverse)> inverse_counts{
    "inverse counts"};

}  // namespace kernel
}  // namespace dml
