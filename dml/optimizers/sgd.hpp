#pragma once
#include "engine/check.hpp"

namespace dml {

/// Stochastic gradient descent with momentum in one pass. State: momentum_buffer b.
///   g += weight_decay * p;  b = momentum * b + fresh * g;  p -= lr * (nesterov ? g + momentum * b
///   : b)
/// fresh is 1 in the first step of a parameter, 1 - dampening afterwards.
struct SgdRule {
  static constexpr const char* name = "sgd step";
  static constexpr int moments = 1;
  static constexpr int scalars = 4;
  /// Places in the table of scalars.
  enum : int { decay, momentum, fresh, rate };

  bool nesterov = false;

  template <class T> DML_HOST_DEVICE void operator()(T& p, T g, T* moment, const T* scalar) const {
    g += scalar[decay] * p;
    const T b = moment[0] = scalar[momentum] * moment[0] + scalar[fresh] * g;
    p -= scalar[rate] * (nesterov ? g + scalar[momentum] * b : b);
  }
};

}  // namespace dml
