#pragma once
#include "dml/tuples.hpp"
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// The entries of a matrix that a list of triplets names: matrix[row[t], column[t]]; 0 for void
/// entries of the list.   [n, q] -> [t]
/// @param rows, columns  members of `list`: anchor, positive or negative.
Var pick(const Var& matrix, const Tuples& list, Tensor Tuples::*rows, Tensor Tuples::*columns);

/// 1 for the valid entries of a list, 0 for the void ones.   -> [t] of `type`
Tensor valid_entries(Device& device, const Tuples& list, DType type);

namespace kernel {
/// Entries of a list: index tensors [t] i64 and how many are valid ([] i64, or undefined: all).
struct PickInputs {
  Tensor rows{}, columns{}, count{};
};
inline constinit Kernel<void(const Tensor& matrix, const PickInputs&, Tensor& values)> pick{"pick"};
/// dmatrix is 0 but for the named entries, which collect up in the order of the list.
inline constinit Kernel<void(const Tensor& up, const PickInputs&, Tensor& dmatrix)> pick_bwd{
    "pick backward"};
/// valid[t] = t < count
inline constinit Kernel<void(const PickInputs&, Tensor& valid)> valid_entries{"valid entries"};
}  // namespace kernel

}  // namespace dml
