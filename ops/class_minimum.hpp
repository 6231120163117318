#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// The smallest entry x[i, k] with i and k both of class c, for every class c in [0, classes);
/// equal ones share the gradient evenly. A class without a row gives 0 and no gradient.
/// x [n, n], labels [n] i64 -> [classes]
/// @throws ShapeError for shapes that do not fit.
Var class_minimum(const Var& x, const Tensor& labels, std::int64_t classes);

namespace kernel {
/// ties [classes]: how many entries are equal to the minimum; of the type of x.
inline constinit Kernel<void(const Tensor& x, const Tensor& labels, Tensor& y, Tensor& ties)>
    class_minimum_fwd{"class_minimum"};
inline constinit Kernel<void(const Tensor& x, const Tensor& labels, const Tensor& y,
                             const Tensor& ties, const Tensor& dy, Tensor& dx)>
    class_minimum_bwd{"class_minimum backward"};
}  // namespace kernel

}  // namespace dml
