#pragma once
#include <cstdint>

#include "dml/items.hpp"
#include "engine/check.hpp"

namespace dml::pairs {

/// The logistic step 1 / (1 + e^-t), by the exp of the team, so that loops of it are vectorised.
/// Below e^-60 it is 0: products of it would be denormal numbers, which processors are slow at.
template <class T, class Team> DML_HOST_DEVICE T soft_step(const Team& team, T t) {
  const T step = T(1) / (T(1) + team.exp(-t));
  return t < T(-60) ? T(0) : step;
}

/// Whether some value may lie outside of the bounds.
DML_HOST_DEVICE inline bool limited(const Bounds& bounds) {
  constexpr double most = std::numeric_limits<double>::max();
  return bounds.low > -most || bounds.high < most;
}

/// How many samples of a row are positive.
template <class T, class Team>
DML_HOST_DEVICE double positives(const Team& team, const float* relation, std::int64_t size) {
  return team.sum(size, [&](std::int64_t j) { return relation[j] > 0 ? T(1) : T(0); });
}

}  // namespace dml::pairs
