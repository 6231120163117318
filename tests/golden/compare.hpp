#pragma once
#include <string>

#include "tests/golden/golden.hpp"

namespace dml::golden {

/// What became of one case on one backend.
struct Verdict {
  bool passed = true;
  double worst = 0;    ///< largest |got - want| / m over all tensors
  std::string tensor;  ///< where it was, or where the case failed
  std::string text;    ///< why it failed
};

/// Compares all results with the file. Every out.* and grad.* must have been given, with as many
/// elements. Integers must be equal. NaN equals NaN, and infinities must be the same.
/// With m = max(1, max|want|), the maximum taken over the row of a tensor of several dimensions:
///   f64   |got - want| <= 1e-9 m
///   f32   |got - want| <= 10 e + 1e-6 m,  e the f32 error of the reference that the file gives;
///         1e-5 m where it gives none (100 roundings of the largest element: sums of a few hundred
///         terms), or what the handler says with Run::loosen.
Verdict compare(const Run& run);

}  // namespace dml::golden
