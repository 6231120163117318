#pragma once
#include "engine/kernel.hpp"
#include "engine/random.hpp"

namespace dml {

/// Places drawn from the rows of a table of weights.
struct Drawn {
  Tensor place;  ///< [n] i64; 0 where the row has no weight
  Tensor found;  ///< [n] of the table's type: 1, or 0 where the row has no weight
};

/// One draw per row with probabilities in proportion to the weights. Weights that are not above 0
/// (NaN as well) are never drawn. Row i takes the number random.uniform(i), the same on every
/// backend, and the sums are in f64.
/// @param weight  [n, k], need not be normalised.
Drawn categorical(Device& device, const Tensor& weight, const Random& random);

/// The arithmetic of one row, the same on every backend.
struct CategoricalRow {
  std::int64_t k;

  /// The place, or -1 where there is no weight.   u in [0, 1)
  template <class T> DML_HOST_DEVICE std::int64_t draw(const T* weight, double u) const {
    double total = 0;
    for (std::int64_t i = 0; i < k; ++i) total += weight[i] > T(0) ? double(weight[i]) : 0;
    double below = 0;
    std::int64_t last = -1;
    for (std::int64_t i = 0; i < k; ++i) {
      if (!(weight[i] > T(0))) continue;
      below += double(weight[i]);
      last = i;
      if (below > u * total) return i;
    }
    return last;
  }
};

namespace kernel {
/// weight [n, k], place [n] i64, found [n].
inline constinit Kernel<void(const Tensor& weight, const Random& random, Tensor& place,
                             Tensor& found)>
    categorical{"categorical"};
}  // namespace kernel

}  // namespace dml
