#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// artanh(x), x cut to +-(1 - 1e-12) (1 - 1e-5 in f32), beyond which no gradient flows.
struct Artanh {
  static constexpr const char* name = "artanh";
  template <class T> DML_HOST_DEVICE static T edge() {
    return T(1) - (sizeof(T) == 8 ? T(1e-12) : T(1e-5));
  }
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::log1p;
    const T cut = x < -edge<T>() ? -edge<T>() : x > edge<T>() ? edge<T>() : x;
    return T(0.5) * (log1p(cut) - log1p(-cut));
  }
  template <class T> DML_HOST_DEVICE T slope(T x, T /*y*/) const {
    return x < -edge<T>() || x > edge<T>() ? T(0) : 1 / (1 - x * x);
  }
};

/// Artanh of every element.   [...] -> [...]
inline Var artanh(const Var& x) { return apply(Pointwise<Artanh>{{}}, x); }

}  // namespace dml
