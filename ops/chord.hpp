#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// sqrt(2 - 2 x), the distance of unit vectors of cosine x. Where 2 - 2 x < 1e-12 (1e-6 in f32)
/// they coincide up to rounding: 0, and no gradient.
struct Chord {
  static constexpr const char* name = "chord";
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::sqrt;
    const T square = 2 - 2 * x;
    return square < (sizeof(T) == 8 ? T(1e-12) : T(1e-6)) ? T(0) : sqrt(square);
  }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/, T y) const {
    return y == T(0) ? T(0) : -1 / y;
  }
};

/// Chord of every element.   [...] -> [...]
inline Var chord(const Var& cosines) { return apply(Pointwise<Chord>{{}}, cosines); }

}  // namespace dml
