#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// Which entries of a column class_logsumexp adds up.
enum class ClassSide : std::uint8_t {
  own,   ///< of the rows that are of the column's class
  other  ///< of the rows that are not
};

/// log(1 + sum of exp(x[i, c])) over the rows i of one side of every class c; 0 where a side is
/// empty. Does not overflow.   x [n, c], labels [n] i64 -> [c]
/// @throws ShapeError for shapes that do not fit.
Var class_logsumexp(const Var& x, const Tensor& labels, ClassSide side);

namespace kernel {
inline constinit Kernel<void(const Tensor& x, const Tensor& labels, ClassSide side, Tensor& y)>
    class_logsumexp_fwd{"class_logsumexp"};
/// dx = dy exp(x - y) on the side, 0 elsewhere.
inline constinit Kernel<void(const Tensor& x, const Tensor& labels, ClassSide side, const Tensor& y,
                             const Tensor& dy, Tensor& dx)>
    class_logsumexp_bwd{"class_logsumexp backward"};
}  // namespace kernel

}  // namespace dml
