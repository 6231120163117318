#pragma once
#include <limits>

#include "ops/own_entry.hpp"

namespace dml {

/// x + amount
struct OwnShift {
  static constexpr const char* name = "own_shift";
  double amount = 0;
  template <class T> DML_HOST_DEVICE T value(T x) const { return x + T(amount); }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/) const { return T(1); }
};

/// A constant, through which no gradient flows.
struct OwnFill {
  static constexpr const char* name = "own_fill";
  double constant = 0;
  template <class T> DML_HOST_DEVICE T value(T /*x*/) const { return T(constant); }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/) const { return T(0); }
};

/// cos(angle + margin) of x = cos(angle), margin in radians. With `linear`, x - margin sin(margin)
/// instead where angle > pi - margin, so that it falls over the whole half circle (ArcFace). Where
/// 1 - x^2 < 1e-12 (1e-6 in f32) the angle has no direction: no gradient.
struct ArcMargin {
  bool linear = true;
  template <class T> DML_HOST_DEVICE T widened(T x, T margin) const {
    using std::sin, std::cos, std::sqrt;
    if (linear && x < -cos(margin)) return x - margin * sin(margin);
    const T square = 1 - x * x;
    return x * cos(margin) - (square > T(0) ? sqrt(square) : T(0)) * sin(margin);
  }
  template <class T> DML_HOST_DEVICE T slope_at(T x, T margin) const {
    using std::sin, std::cos, std::sqrt;
    if (linear && x < -cos(margin)) return T(1);
    const T square = 1 - x * x;
    if (square < (sizeof(T) == 8 ? T(1e-12) : T(1e-6))) return T(0);
    return cos(margin) + sin(margin) * x / sqrt(square);
  }
};

/// ArcMargin with one margin for all classes.
struct OwnArc : ArcMargin {
  static constexpr const char* name = "own_arc";
  double margin = 0;
  template <class T> DML_HOST_DEVICE T value(T x) const { return widened(x, T(margin)); }
  template <class T> DML_HOST_DEVICE T slope(T x) const { return slope_at(x, T(margin)); }
};

/// ArcMargin with a margin for every class.
struct OwnArcOfClass : ArcMargin {
  static constexpr const char* name = "own_arc_of_class";
  template <class T> DML_HOST_DEVICE T value(T x, T margin) const { return widened(x, margin); }
  template <class T> DML_HOST_DEVICE T slope(T x, T margin) const { return slope_at(x, margin); }
};

/// ((-1)^k cos(m angle) - 2k + lambda x) / (1 + lambda) of x = cos(angle), k = floor(m angle / pi)
/// (L-Softmax, SphereFace; lambda blends with the plain cosine).
struct OwnMultipleAngle {
  static constexpr const char* name = "own_multiple_angle";
  std::int64_t m = 1;
  double lambda = 0;

  /// The number of the branch.
  template <class T> DML_HOST_DEVICE std::int64_t branch(T x) const {
    using std::acos;
    constexpr double pi = 3.14159265358979323846;
    const T cut = x < T(-1) ? T(-1) : x > T(1) ? T(1) : x;
    const auto k = static_cast<std::int64_t>(acos(cut) * static_cast<T>(m) / T(pi));
    return k < m ? k : m - 1;  // at the angle pi both branches give the same value
  }
  template <class T> DML_HOST_DEVICE T value(T x) const {
    const std::int64_t k = branch(x);
    T before = 1, now = x;  // Chebyshev polynomials of the first kind
    for (std::int64_t i = 1; i < m; ++i) {
      const T next = 2 * x * now - before;
      before = now;
      now = next;
    }
    const T psi = (k % 2 == 0 ? now : -now) - T(2) * static_cast<T>(k);
    return (psi + T(lambda) * x) / T(1 + lambda);
  }
  template <class T> DML_HOST_DEVICE T slope(T x) const {
    T before = 0, now = 1;  // Chebyshev polynomials of the second kind: T_m' = m U_(m-1)
    for (std::int64_t i = 1; i < m; ++i) {
      const T next = 2 * x * now - before;
      before = now;
      now = next;
    }
    const T psi = static_cast<T>(m) * (branch(x) % 2 == 0 ? now : -now);
    return (psi + T(lambda)) / T(1 + lambda);
  }
};

/// x with `amount` added to the entry of every row's own class.   [n, c] -> [n, c]
inline Var own_shift(const Var& x, const Tensor& labels, double amount) {
  return apply_to_own(OwnShift{amount}, x, labels);
}
/// x with minus infinity in the entry of every row's own class.   [n, c] -> [n, c]
inline Var without_own(const Var& x, const Tensor& labels) {
  return apply_to_own(OwnFill{-std::numeric_limits<double>::infinity()}, x, labels);
}
/// Cosines with the own angle widened by `margin` radians, see ArcMargin.   [n, c] -> [n, c]
inline Var own_arc(const Var& cosines, const Tensor& labels, double margin, bool linear = true) {
  return apply_to_own(OwnArc{{linear}, margin}, cosines, labels);
}
/// The same with a margin for every class.   margins [c] of the type of the cosines
inline Var own_arc(const Var& cosines, const Tensor& labels, const Tensor& margins) {
  return apply_to_own(OwnArcOfClass{}, cosines, labels, margins);
}
/// Cosines with the own angle multiplied by m, see OwnMultipleAngle.   [n, c] -> [n, c]
inline Var own_multiple_angle(const Var& cosines, const Tensor& labels, std::int64_t m,
                              double lambda = 0) {
  return apply_to_own(OwnMultipleAngle{m, lambda}, cosines, labels);
}

}  // namespace dml
