#pragma once
#include "ops/pointwise.hpp"

namespace dml {

/// e^x
struct Exp {
  static constexpr const char* name = "exp";
  template <class T> DML_HOST_DEVICE T value(T x) const {
    using std::exp;
    return exp(x);
  }
  template <class T> DML_HOST_DEVICE T slope(T /*x*/, T y) const { return y; }
};

/// e^x of every element.   [...] -> [...]
inline Var exp(const Var& x) { return apply(Pointwise<Exp>{{}}, x); }

}  // namespace dml
