#pragma once
#include <cstdint>

#include "engine/check.hpp"

namespace dml::pairs {

/// The logistic step 1 / (1 + e^-t), by the exp of the team, so that loops of it are vectorised.
template <class T, class Team> DML_HOST_DEVICE T soft_step(const Team& team, T t) {
  return T(1) / (T(1) + team.exp(-t));
}

/// How many samples of a row are positive.
template <class T, class Team>
DML_HOST_DEVICE double positives(const Team& team, const float* relation, std::int64_t size) {
  return team.sum(size, [&](std::int64_t j) { return relation[j] > 0 ? T(1) : T(0); });
}

}  // namespace dml::pairs
