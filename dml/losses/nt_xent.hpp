#pragma once
#include "dml/pairs/against_negatives.hpp"

namespace dml {

/// The similarity as it is.
struct PlainPositive {
  static constexpr const char* name = "nt_xent";
  template <class T> DML_HOST_DEVICE T value(T x) const { return x; }
  template <class T> DML_HOST_DEVICE T slope(T) const { return T(1); }
};
using NtXentRow = AgainstNegatives<PlainPositive>;

}  // namespace dml
