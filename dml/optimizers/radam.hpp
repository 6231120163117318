#pragma once
#include <cmath>
#include <cstdint>

#include "engine/check.hpp"

namespace dml {

/// How far RAdam steps.
struct RAdamSize {
  double length;   ///< of the simple moving average that the exponential one stands for
  bool rectified;  ///< whether the step is adaptive; else it is one of plain momentum
  double factor;   ///< step size divided by the learning rate
};

/// The step size of a parameter in its step t, from 1 (Liu et al., ICLR 2020, algorithm 2).
/// @param strict  adaptive only above a length of 5, not at 5 (PyTorch)
inline RAdamSize radam_size(double beta1, double beta2, std::int64_t t, bool strict = false) {
  const double time = static_cast<double>(t);
  const double power = std::pow(beta2, time);
  const double longest = 2 / (1 - beta2) - 1;
  const double length = longest - 2 * time * power / (1 - power);
  const bool rectified = strict ? length > 5 : length >= 5;
  double factor = 1 / (1 - std::pow(beta1, time));
  if (rectified)
    factor *= std::sqrt((1 - power) * (length - 4) / (longest - 4) * (length - 2) / length *
                        longest / (longest - 2));
  return {length, rectified, factor};
}

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
