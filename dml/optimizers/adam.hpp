#pragma once
#include <cmath>

#include "engine/check.hpp"

namespace dml {

/// Adam and AdamW in one pass. State: exp_avg m, exp_avg_sq v, and with amsgrad max_exp_avg_sq, the
/// largest v so far (uncorrected).
template <bool amsgrad> struct AdamRule {
  static constexpr const char* name = amsgrad ? "adam step with amsgrad" : "adam step";
  static constexpr int moments = amsgrad ? 3 : 2;
  static constexpr int scalars = 8;
  /// Places in the table of scalars. size: lr / (1 - beta1^t); root: sqrt(1 - beta2^t).
  enum : int { decay, beta1, rest1, beta2, rest2, size, root, eps };

  bool decoupled = false;  ///< AdamW: p *= 1 - lr * weight_decay first; else g += weight_decay * p

  template <class T> DML_HOST_DEVICE void operator()(T& p, T g, T* moment, const T* scalar) const {
    using std::sqrt;
    if (decoupled) {
      p *= 1 - scalar[decay];
    } else {
      g += scalar[decay] * p;
    }
    const T m = moment[0] = scalar[beta1] * moment[0] + scalar[rest1] * g;
    T v = moment[1] = scalar[beta2] * moment[1] + scalar[rest2] * g * g;
    if constexpr (amsgrad) v = moment[2] = v > moment[2] ? v : moment[2];
    p -= scalar[size] * m / (sqrt(v) / scalar[root] + scalar[eps]);
  }
};

}  // namespace dml
