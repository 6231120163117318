#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "engine/check.hpp"

namespace dml {

/// e^x of f32 without a call, so that loops of it are vectorised; error below 2 units in the last
/// place, 0 below -87.3, never infinite. (Cephes: ln 2 in two parts, polynomial on |r| <= ln2/2.)
inline float vector_exp(float x) {
  const float bounded = std::min(std::max(x, -87.3F), 88.3F);
  const float shifted = bounded * 1.44269504F + 12582912.0F;  // the integer is in the low bits
  const float n = shifted - 12582912.0F;
  const float r = (bounded - n * 0.693359375F) - n * -2.12194440e-4F;
  float y = 1.9875691500e-4F;
  y = y * r + 1.3981999507e-3F;
  y = y * r + 8.3334519073e-3F;
  y = y * r + 4.1665795894e-2F;
  y = y * r + 1.6666665459e-1F;
  y = y * r + 5.0000001201e-1F;
  y = y * (r * r) + r + 1.0F;
  const auto bits = (std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U;
  return x < -87.3F ? 0.0F : y * std::bit_cast<float>(bits);
}

/// Up to four terms that are summed up in one pass.
template <class T> struct Four { T a{}, b{}, c{}, d{}; };

/// The threads that work on one row of a matrix, for the reference backend: one, in plain loops.
/// Row losses are written against a team, so that the same code serves all backends; what they see
/// of it:
///   sum(n, f)      f(0) + .. + f(n - 1), in f64, the same on every thread
///   sum4(n, f)     the same of a Four of terms
///   largest(n, f)  the largest f(j), -infinity for n = 0
///   each(n, f)     f(j) for all j; f may write to column j alone
///   at(j, f)       f() by the thread that has column j in each()
///   exp(x)
/// All threads of a team must come to the same calls.
struct PlainTeam {
  template <class F> double sum(std::int64_t n, const F& f) const {
    double total = 0;
    for (std::int64_t j = 0; j < n; ++j) total += static_cast<double>(f(j));
    return total;
  }
  template <class F> Four<double> sum4(std::int64_t n, const F& f) const {
    Four<double> total;
    for (std::int64_t j = 0; j < n; ++j) {
      const auto t = f(j);
      total.a += static_cast<double>(t.a);
      total.b += static_cast<double>(t.b);
      total.c += static_cast<double>(t.c);
      total.d += static_cast<double>(t.d);
    }
    return total;
  }
  template <class F> auto largest(std::int64_t n, const F& f) const {
    using T = decltype(f(n));
    T most = -HUGE_VALF;
    for (std::int64_t j = 0; j < n; ++j) most = std::max(most, f(j));
    return most;
  }
  template <class F> void each(std::int64_t n, const F& f) const {
    for (std::int64_t j = 0; j < n; ++j) f(j);
  }
  template <class F> void at(std::int64_t, const F& f) const { f(); }
  template <class T> T exp(T x) const { return std::exp(x); }
};

/// The same for the cpu backend: one thread, whose loops the compiler vectorises.
struct VectorTeam {
  template <class F> double sum(std::int64_t n, const F& f) const {
    double total = 0;
    for (std::int64_t k = 0; k < n; k += 256) {  // short sums side by side, then in f64
      const std::int64_t end = std::min(k + 256, n);
      float part = 0;
#pragma omp simd reduction(+ : part)
      for (std::int64_t j = k; j < end; ++j) part += f(j);
      total += static_cast<double>(part);
    }
    return total;
  }
  template <class F> Four<double> sum4(std::int64_t n, const F& f) const {
    Four<double> total;
    for (std::int64_t k = 0; k < n; k += 256) {
      const std::int64_t end = std::min(k + 256, n);
      float a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
      for (std::int64_t j = k; j < end; ++j) {
        const Four<float> t = f(j);
        a += t.a;
        b += t.b;
        c += t.c;
        d += t.d;
      }
      total.a += static_cast<double>(a);
      total.b += static_cast<double>(b);
      total.c += static_cast<double>(c);
      total.d += static_cast<double>(d);
    }
    return total;
  }
  template <class F> float largest(std::int64_t n, const F& f) const {
    float most = -HUGE_VALF;
#pragma omp simd reduction(max : most)
    for (std::int64_t j = 0; j < n; ++j) most = std::max(most, f(j));
    return most;
  }
  template <class F> void each(std::int64_t n, const F& f) const {
#pragma omp simd
    for (std::int64_t j = 0; j < n; ++j) f(j);
  }
  template <class F> void at(std::int64_t, const F& f) const { f(); }
  static float exp(float x) { return vector_exp(x); }
};

namespace pairs {

/// log(1 + e^t) without overflow.
template <class T> DML_HOST_DEVICE T softplus(T t) {
  using std::abs, std::exp, std::log1p;
  return (t > T(0) ? t : T(0)) + log1p(exp(-abs(t)));
}
/// Its slope, 1 / (1 + e^-t).
template <class T> DML_HOST_DEVICE T sigmoid(T t) {
  using std::abs, std::exp;
  const T small = exp(-abs(t));
  return (t < T(0) ? small : T(1)) / (T(1) + small);
}
/// f(std::true_type) or f(std::false_type): what a loop must not ask in every round.
template <class F> DML_HOST_DEVICE void either(bool condition, const F& f) {
  if (condition) {
    f(std::true_type{});
  } else {
    f(std::false_type{});
  }
}
/// How often a pair was chosen as a positive one.
DML_HOST_DEVICE inline float positive(float relation) { return relation > 0 ? relation : 0.0F; }
/// How often a pair was chosen as a negative one.
DML_HOST_DEVICE inline float negative(float relation) { return relation < 0 ? -relation : 0.0F; }

/// log of sum_j w_j e^(z_j): `peak` is the largest z_j with w_j > 0, `sum` that of w_j e^(z_j -
/// peak). Without any such j `empty` is true.
template <class T> struct LogSum {
  T peak;
  double sum;
  DML_HOST_DEVICE bool empty() const { return !(sum > 0); }
  DML_HOST_DEVICE T log() const {
    using std::log;
    return peak + static_cast<T>(log(sum));
  }
};

/// LogSum over a row.
template <class T, class Team, class Weight, class Exponent>
DML_HOST_DEVICE LogSum<T> log_sum(const Team& team, std::int64_t n, const Weight& weight,
                                  const Exponent& exponent) {
  constexpr T none = T(-1e30);
  const T peak = team.largest(
      n, [&](std::int64_t j) { return weight(j) > 0 ? static_cast<T>(exponent(j)) : none; });
  const double sum = team.sum(n, [&](std::int64_t j) {
    return weight(j) > 0 ? static_cast<T>(weight(j)) * team.exp(static_cast<T>(exponent(j)) - peak)
                         : T(0);
  });
  return {peak, sum};
}

}  // namespace pairs
}  // namespace dml
