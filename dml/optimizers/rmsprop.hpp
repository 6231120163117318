#pragma once
#include <cmath>

#include "engine/check.hpp"

namespace dml {

/// RMSProp in one pass. State: square_avg v, momentum_buffer b, grad_avg m (the last two stay 0
/// where they are not used).
///   v = alpha v + (1 - alpha) g^2;  with centered, the variance v - m^2 stands for v
///   b = momentum b + g / (sqrt(v) + eps);  p -= lr b
struct RmsPropRule {
  static constexpr const char* name = "rmsprop step";
  static constexpr int moments = 3;
  static constexpr int scalars = 6;
  /// Places in the table of scalars.
  enum : int { decay, alpha, rest, momentum, rate, eps };

  bool centered = false;

  template <class T> DML_HOST_DEVICE void operator()(T& p, T g, T* moment, const T* scalar) const {
    using std::sqrt;
    g += scalar[decay] * p;
    T v = moment[0] = scalar[alpha] * moment[0] + scalar[rest] * g * g;
    if (centered) {
      const T m = moment[2] = scalar[alpha] * moment[2] + scalar[rest] * g;
      v -= m * m;
    }
    const T b = moment[1] = scalar[momentum] * moment[1] + g / (sqrt(v) + scalar[eps]);
    p -= scalar[rate] * b;
  }
};

}  // namespace dml
