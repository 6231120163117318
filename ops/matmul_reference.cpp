#include <vector>

#include "ops/matmul.hpp"

namespace dml {
namespace {

/// Element (row, column) of op(matrix g of a stack), read as double.
template <class T> struct Operand {
  const T* data;
  std::int64_t pitch, matrix;
  bool transposed;

  Operand(const Tensor& x, bool t)
      : data(x.raw<T>()), pitch(x.pitch()), matrix(x.dim(-2) * x.pitch()), transposed(t) {}
  double operator()(std::int64_t g, std::int64_t row, std::int64_t column) const {
    const std::int64_t at = transposed ? column * pitch + row : row * pitch + column;
    return static_cast<double>(data[g * matrix + at]);
  }
};

template <class T>
void multiply(const Tensor& left, const Tensor& right, Transpose transpose, double alpha,
              double beta, Tensor& y) {
  const Operand<T> a(left, transpose.a), b(right, transpose.b);
  const std::int64_t rows = y.dim(-2), columns = y.dim(-1), inner = left.dim(transpose.a ? -2 : -1);
  const std::int64_t matrices = y.rank() == 3 ? y.dim(0) : 1;
  std::vector<double> sums(static_cast<std::size_t>(columns));
  for (std::int64_t g = 0; g < matrices; ++g)
    for (std::int64_t i = 0; i < rows; ++i) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (std::int64_t k = 0; k < inner; ++k) {
        const double factor = a(g, i, k);
        for (std::int64_t j = 0; j < columns; ++j)
          sums[static_cast<std::size_t>(j)] += factor * b(g, k, j);
      }
      T* out = y.raw<T>() + (g * rows + i) * y.pitch();
      for (std::int64_t j = 0; j < columns; ++j) {
        const double product = alpha * sums[static_cast<std::size_t>(j)];
        out[j] = static_cast<T>(beta == 0 ? product : product + beta * static_cast<double>(out[j]));
      }
    }
}

void matmul(Device&, const Tensor& a, const Tensor& b, Transpose transpose, double alpha,
            double beta, Tensor& y) {
  visit_float(y.dtype(), [&]<class T>() { multiply<T>(a, b, transpose, alpha, beta, y); });
}

void bias(Device&, const Tensor& row, Tensor& y) {
  visit_float(y.dtype(), [&]<class T>() {
    for (std::int64_t r = 0; r < y.row_count(); ++r)
      for (std::int64_t c = 0; c < y.row_length(); ++c)
        y.raw<T>()[r * y.pitch() + c] += row.raw<T>()[c];
  });
}

void bias_gradient(Device&, const Tensor& x, Tensor& sum) {
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t c = 0; c < sum.size(); ++c) {
      double total = 0;
      for (std::int64_t r = 0; r < x.row_count(); ++r)
        total += static_cast<double>(x.raw<T>()[r * x.pitch() + c]);
      sum.raw<T>()[c] = static_cast<T>(total);
    }
  });
}

const bool matmul_reference_added = kernel::matmul.add(Backend::reference, matmul) &&
                                    kernel::add_bias.add(Backend::reference, bias) &&
                                    kernel::sum_rows.add(Backend::reference, bias_gradient);

}  // namespace
}  // namespace dml
