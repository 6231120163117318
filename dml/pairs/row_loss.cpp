#include "dml/pairs/row_loss.hpp"

#include "ops/reshape.hpp"
#include "ops/slice.hpp"

namespace dml {

Items RowSums::part(std::int64_t k) const {
  const std::int64_t n = sums.dim(1);
  const Var own = sums.dim(0) == 1 ? sums : slice(sums, 0, k, k + 1);
  return {reshape(own, {n}), counts.rows(k, k + 1).reshape({n}), nullptr, {}};
}

}  // namespace dml
