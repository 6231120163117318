#include "dml/retrieval/spectrum.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "engine/cpu/parallel.hpp"

namespace dml {
namespace {

constexpr std::int64_t block_rows = 256;

double product(const double* a, const double* b, std::int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// The upper triangle R of a QR decomposition, to which blocks of rows are added.
class Triangle {
 public:
  Triangle(std::int64_t columns, int threads)
      : d_(columns), threads_(threads), r_(static_cast<std::size_t>(d_ * d_), 0) {}

  /// @param below  column-major [rows, d], overwritten
  void add(std::vector<double>& below, std::int64_t rows) {
    for (std::int64_t j = 0; j < d_; ++j) {
      double* own = below.data() + j * rows;
      const double square = product(own, own, rows);
      double& head = at(j, j);
      if (square == 0) continue;  // nothing to take away below the diagonal
      const double length = std::sqrt(head * head + square);
      const double pivot = head > 0 ? head + length : head - length;
      const double scale = 2 / (pivot * pivot + square);
      // The reflection I - scale v v^T with v = (pivot, own).
      cpu::parallel_for(
          threads_, d_ - j - 1, 1 + (1 << 14) / rows, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t k = j + 1 + first; k < j + 1 + last; ++k) {
              double* other = below.data() + k * rows;
              const double along = scale * (pivot * at(j, k) + product(own, other, rows));
              at(j, k) -= along * pivot;
#pragma omp simd
              for (std::int64_t i = 0; i < rows; ++i) other[i] -= along * own[i];
            }
          });
      head = head > 0 ? -length : length;
    }
  }

  /// R by rows: the columns of its transpose, on which rotations converge in fewer sweeps.
  std::vector<double> take() { return std::move(r_); }

 private:
  double& at(std::int64_t row, std::int64_t column) {
    return r_[static_cast<std::size_t>(row * d_ + column)];
  }

  std::int64_t d_;
  int threads_;
  std::vector<double> r_;
};

/// Makes two columns orthogonal. @return whether they were not.
bool rotate(double* a, double* b, std::int64_t n) {
  const double aa = product(a, a, n), bb = product(b, b, n), ab = product(a, b, n);
  const double tolerance = 1e-16 * static_cast<double>(10 + n);  // of the products themselves
  if (aa == 0 || bb == 0 || std::abs(ab) <= tolerance * std::sqrt(aa) * std::sqrt(bb)) return false;
  const double zeta = (bb - aa) / (2 * ab);
  const double t = (zeta > 0 ? 1 : -1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
  const double cosine = 1 / std::sqrt(1 + t * t), sine = cosine * t;
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = a[i], y = b[i];
    a[i] = cosine * x - sine * y;
    b[i] = sine * x + cosine * y;
  }
  return true;
}

/// Rotates the d columns of length d until all are orthogonal; every round of a sweep holds pairs
/// without a common column, so that threads do not change the result.
void orthogonalise(std::vector<double>& columns, std::int64_t d, int threads) {
  constexpr int most_sweeps = 40;
  const std::int64_t seats = d + d % 2;
  std::vector<std::int64_t> seat(static_cast<std::size_t>(seats));
  std::iota(seat.begin(), seat.end(), std::int64_t{0});
  std::vector<char> changed(static_cast<std::size_t>(seats / 2));
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    bool any = false;
    for (std::int64_t round = 0; round + 1 < seats; ++round) {
      auto pair = [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
          const std::int64_t a = seat[static_cast<std::size_t>(i)];
          const std::int64_t b = seat[static_cast<std::size_t>(seats - 1 - i)];
          changed[static_cast<std::size_t>(i)] =
              a < d && b < d && rotate(columns.data() + a * d, columns.data() + b * d, d) ? 1 : 0;
        }
      };
      cpu::parallel_for(threads, seats / 2, 1 + (1 << 13) / d, pair);
      any = any || std::any_of(changed.begin(), changed.end(), [](char c) { return c != 0; });
      std::rotate(seat.begin() + 1, seat.end() - 1, seat.end());
    }
    if (!any) return;
  }
}

/// Rows [first, last) of x, or of its transpose, by columns.
template <class T>
std::vector<double> block_of(const Tensor& x, bool transposed, std::int64_t first,
                             std::int64_t last) {
  const std::int64_t rows = last - first, d = transposed ? x.dim(0) : x.dim(1);
  std::vector<double> block(static_cast<std::size_t>(rows * d));
  const std::int64_t width = x.dim(1);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t c = 0; c < d; ++c)
      block[static_cast<std::size_t>(c * rows + i)] = static_cast<double>(
          transposed ? x.raw<T>()[c * width + first + i] : x.raw<T>()[(first + i) * width + c]);
  return block;
}

}  // namespace

std::vector<double> singular_values(const Tensor& x, int threads) {
  const bool transposed = x.dim(0) < x.dim(1);
  const std::int64_t n = std::max(x.dim(0), x.dim(1)), d = std::min(x.dim(0), x.dim(1));
  if (d == 0) return {};
  Triangle triangle(d, threads);
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t first = 0; first < n; first += block_rows) {
      const std::int64_t last = std::min(first + block_rows, n);
      std::vector<double> block = block_of<T>(x, transposed, first, last);
      triangle.add(block, last - first);
    }
  });
  std::vector<double> columns = triangle.take();
  orthogonalise(columns, d, threads);
  std::vector<double> values(static_cast<std::size_t>(d));
  for (std::int64_t i = 0; i < d; ++i)
    values[static_cast<std::size_t>(i)] =
        std::sqrt(product(columns.data() + i * d, columns.data() + i * d, d));
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

double spectral_entropy(std::span<const double> values) {
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  double entropy = 0;
  for (const double value : values)
    if (value > 0) entropy -= value / sum * std::log(value / sum);
  return entropy;
}

}  // namespace dml
