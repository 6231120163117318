#pragma once
#include "engine/kernel.hpp"
#include "engine/tape.hpp"

namespace dml {

/// The inverse of a square matrix, computed in f64 whatever the type. For small matrices: on a GPU
/// one thread does the work.   [n, n] -> [n, n]
/// A singular matrix gives infinities. @throws ShapeError unless the matrix is square.
Var inverse(const Var& x);

/// log |det x| of a square matrix.   [n, n] -> []   Minus infinity for a singular one.
Var log_abs_det(const Var& x);

/// Gauss-Jordan elimination with pivoting by rows, on `work` of n rows and 2 n columns that holds
/// [x | 1] and in the end [1 | inverse].
struct GaussJordan {
  std::int64_t n;

  /// @return log |det|
  DML_HOST_DEVICE double run(double* work) const {
    using std::fabs, std::log;
    double log_det = 0;
    const std::int64_t width = 2 * n;
    for (std::int64_t c = 0; c < n; ++c) {
      std::int64_t best = c;
      for (std::int64_t r = c + 1; r < n; ++r)
        if (fabs(work[r * width + c]) > fabs(work[best * width + c])) best = r;
      for (std::int64_t k = 0; k < width && best != c; ++k) {
        const double held = work[c * width + k];
        work[c * width + k] = work[best * width + k];
        work[best * width + k] = held;
      }
      const double pivot = work[c * width + c];
      log_det += log(fabs(pivot));
      for (std::int64_t k = 0; k < width; ++k) work[c * width + k] /= pivot;
      for (std::int64_t r = 0; r < n; ++r) {
        const double factor = work[r * width + c];
        if (r == c || factor == 0) continue;
        for (std::int64_t k = 0; k < width; ++k)
          work[r * width + k] -= factor * work[c * width + k];
      }
    }
    return log_det;
  }

  /// From x to inverse and log_det, by way of work.
  template <class T>
  DML_HOST_DEVICE void invert(const T* x, double* work, T* inverse, T* log_det) const {
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t c = 0; c < n; ++c) {
        work[r * 2 * n + c] = static_cast<double>(x[r * n + c]);
        work[r * 2 * n + n + c] = r == c ? 1 : 0;
      }
    *log_det = static_cast<T>(run(work));
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t c = 0; c < n; ++c)
        inverse[r * n + c] = static_cast<T>(work[r * 2 * n + n + c]);
  }
};

namespace kernel {
/// x, inverse [n, n]; log_det [].
inline constinit Kernel<void(const Tensor& x, Tensor& inverse, Tensor& log_det)> invert{"inverse"};
}  // namespace kernel

}  // namespace dml
