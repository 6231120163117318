#pragma once
#include <cmath>

#include "engine/check.hpp"

namespace dml {

/// RAdam in one pass. State: exp_avg m, exp_avg_sq v. `l2`: decay is added to the gradient (torch),
/// else taken off the parameter before the update.
struct RAdamRule {
  static constexpr const char* name = "radam step";
  static constexpr int moments = 2;
  static constexpr int scalars = 8;
  /// Places in the table of scalars.
  enum : int { decay, beta1, rest1, beta2, rest2, size, eps, rectified };

  bool l2 = false;

  template <class T> DML_HOST_DEVICE void operator()(T& p, T g, T* moment, const T* scalar) const {
    using std::sqrt;
    if (l2) g += scalar[decay] * p;
    const T v = moment[1] = scalar[beta2] * moment[1] + scalar[rest2] * g * g;
    const T m = moment[0] = scalar[beta1] * moment[0] + scalar[rest1] * g;
    if (!l2) p -= scalar[decay] * p;
    const T divisor = scalar[rectified] != T(0) ? sqrt(v) + scalar[eps] : T(1);
    p -= scalar[size] * m / divisor;
  }
};

}  // namespace dml
