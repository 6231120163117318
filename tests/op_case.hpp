#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/tape.hpp"

namespace dml::testing {

/// One example use of an op. The harness (tests/ops/every_op_test.cpp) checks over all of them:
/// gradient against central differences, parity of every backend with reference in f64,
/// repeatability, inference, and that every kernel slot of the build was run.
struct OpCase {
  std::string name;
  std::vector<Shape> inputs;  ///< filled with normal numbers, then `prepare`d
  std::function<Var(const std::vector<Var>&)> run;
  double rtol = 1e-5;  ///< of f32 backends against reference in f64; widen only with a reason
  double atol = 1e-6;
  std::function<void(std::vector<Tensor>&)>
      prepare{};                  ///< keeps inputs off kinks, makes them positive
  bool gradient = true;           ///< false only where there is none (argmax)
  bool same_in_inference = true;  ///< false only where the op behaves differently there (dropout)
};

inline std::vector<OpCase>& op_cases() {
  static std::vector<OpCase> all;
  return all;
}

struct AddCase {
  explicit AddCase(OpCase one) { op_cases().push_back(std::move(one)); }
};

}  // namespace dml::testing
