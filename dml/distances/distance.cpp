#include "dml/distance.hpp"

#include <cmath>

#include "ops/clamp.hpp"
#include "ops/power.hpp"
#include "ops/unit_rows.hpp"

namespace dml {

Var Distance::prepared(const Var& rows) const {
  return options_.normalize ? unit_rows(rows, options_.p) : rows;
}

Var Distance::operator()(const Var& query, const Var& reference) const {
  DML_CHECK(query.rank() == 2 && reference.rank() == 2 && query.dim(1) == reference.dim(1),
            "distance: rows of " + to_string(query.shape()) + " and " +
                to_string(reference.shape()) + "; [n, d] and [q, d] are needed");
  const Var other = prepared(reference);
  return matrix(prepared(query), &other);
}

Var Distance::operator()(const Var& rows) const {
  DML_CHECK(rows.rank() == 2, "distance: [n, d] is needed, not " + to_string(rows.shape()));
  return matrix(prepared(rows), nullptr);
}

Var Distance::raised(const Var& matrix) const {
  const double e = options_.power;
  if (e == 1) return matrix;
  return power(std::floor(e) == e ? matrix : clamp_min(matrix, 0), e);
}

}  // namespace dml
