#include <vector>

#include "engine/cpu/onednn.hpp"
#include "engine/cpu/parallel.hpp"
#include "ops/matmul.hpp"

namespace dml {
namespace {

cpu::onednn::Matrices matrices_of(const Tensor& x, bool transposed) {
  return {x.raw_bytes(), x.pitch(), x.dim(-2) * x.pitch(), transposed, x.dtype() == DType::bf16};
}

void matmul(Device& device, const Tensor& a, const Tensor& b, Transpose transpose, double alpha,
            double beta, Tensor& y) {
  const std::int64_t m = y.dim(-2), n = y.dim(-1), k = a.dim(transpose.a ? -2 : -1);
  const std::int64_t matrices = y.rank() == 3 ? y.dim(0) : 1;
  if (y.size() == 0) return;
  if (a.dtype() == DType::bf16) {
    if (k > 0 && cpu::onednn::multiply(matrices, m, n, k, static_cast<float>(alpha),
                                       matrices_of(a, transpose.a), matrices_of(b, transpose.b),
                                       static_cast<float>(beta), matrices_of(y, false)))
      return;
    Tensor wide = widen(device, y);
    matmul(device, widen(device, a), widen(device, b), transpose, alpha, beta, wide);
    if (!wide.shares_memory(y)) convert(device, wide, y);
    return;
  }
  for (std::int64_t g = 0; g < matrices; ++g)
    cpu::onednn::multiply(m, n, k, static_cast<float>(alpha),
                          {a.raw<float>() + g * a.dim(-2) * a.pitch(), a.pitch(), transpose.a},
                          {b.raw<float>() + g * b.dim(-2) * b.pitch(), b.pitch(), transpose.b},
                          static_cast<float>(beta), y.raw<float>() + g * m * y.pitch(), y.pitch());
}

void bias(Device& device, const Tensor& row, Tensor& y) {
  const std::int64_t width = y.row_length();
  const float* add = row.raw<float>();
  cpu::parallel_for(device.threads(), y.row_count(), 1 + (1 << 14) / (width + 1),
                    [&](std::int64_t first, std::int64_t last) {
                      for (std::int64_t r = first; r < last; ++r) {
                        float* to = y.raw<float>() + r * y.pitch();
                        for (std::int64_t c = 0; c < width; ++c) to[c] += add[c];
                      }
                    });
}

/// Threads take columns, so that the order of the additions does not depend on their number.
template <class T> void add_up(Device& device, const Tensor& x, Tensor& sum) {
  const std::int64_t rows = x.row_count();
  const std::int64_t grain = 16 + (1 << 14) / (rows + 1);
  cpu::parallel_for(
      device.threads(), sum.size(), grain, [&](std::int64_t first, std::int64_t last) {
        std::vector<double> total(static_cast<std::size_t>(last - first));
        for (std::int64_t r = 0; r < rows; ++r) {
          const T* from = x.raw<T>() + r * x.pitch() + first;
          for (std::size_t c = 0; c < total.size(); ++c)
            total[c] += static_cast<double>(static_cast<float>(from[c]));
        }
        for (std::size_t c = 0; c < total.size(); ++c)
          sum.raw<float>()[first + static_cast<std::int64_t>(c)] = static_cast<float>(total[c]);
      });
}

void bias_gradient(Device& device, const Tensor& x, Tensor& sum) {
  visit_narrow(x.dtype(), [&]<class T>() { add_up<T>(device, x, sum); });
}

const bool matmul_cpu_added =
    kernel::matmul.add(Backend::cpu, matmul) && kernel::matmul.takes_bf16(Backend::cpu) &&
    kernel::add_bias.add(Backend::cpu, bias) && kernel::sum_rows.add(Backend::cpu, bias_gradient) &&
    kernel::sum_rows.takes_bf16(Backend::cpu);

}  // namespace
}  // namespace dml
