#include "ops/mix_rows.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/lines.hpp"
#include "ops/matmul.hpp"
#include "ops/panel_product.hpp"

namespace dml {
namespace {

constexpr double forgotten = 1.0 / (1 << 22);  // share of a row's weight that may be left out
constexpr std::int64_t few = 12;               // one entry in so many: scattered reads still pay

/// The columns of a row that count.
struct Chosen {
  std::int64_t* columns;
  std::int64_t size;
};

/// @return size -1 when too many count.
Chosen choose(const float* w, std::int64_t q, std::int64_t* columns) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (std::int64_t j = 0; j < q; ++j) total += std::abs(w[j]);
  if (!std::isfinite(total)) return {columns, -1};
  // A sixteenth of the share: what is left out is summed up and checked against the whole share.
  const float least = total * static_cast<float>(forgotten / 16);
  float left_out = 0;
  std::int32_t counted = 0;
#pragma omp simd reduction(+ : left_out, counted)
  for (std::int64_t j = 0; j < q; ++j) {
    const float weight = std::abs(w[j]);
    left_out += weight > least ? 0.0F : weight;
    counted += weight > least ? 1 : 0;
  }
  if (counted * few > q || left_out > total * static_cast<float>(forgotten)) return {columns, -1};
  std::int64_t size = 0;
  constexpr std::int64_t block = 32;  // most hold nothing, which is soon seen
  for (std::int64_t first = 0; first < q && total > 0; first += block) {
    const std::int64_t end = std::min(first + block, q);
    std::int32_t here = 0;
#pragma omp simd reduction(+ : here)
    for (std::int64_t j = first; j < end; ++j) here += std::abs(w[j]) > least ? 1 : 0;
    for (std::int64_t j = first; j < end && here > 0; ++j) {
      if (!(std::abs(w[j]) > least)) continue;
      columns[size++] = j;
      --here;
    }
  }
  return {columns, size};
}

/// out = sum over the chosen columns of w_j x_j
void mix(const float* w, const Chosen& chosen, const Tensor& x, float* out) {
  const std::int64_t d = x.dim(1);
  std::fill(out, out + d, 0.0F);
  for (std::int64_t i = 0; i < chosen.size; ++i) {
    const std::int64_t j = chosen.columns[i];
    const float weight = w[j];
    const float* from = x.raw<float>() + j * d;
#pragma omp simd
    for (std::int64_t k = 0; k < d; ++k) out[k] += weight * from[k];
  }
}

void product(Device& device, const Tensor& w, const Tensor& x, Tensor& y) {
  kernel::matmul(device, w, x, {}, 1, 0, y);
}

/// The same in panels; each thread takes some of the rows through all of them.
void product_cpu(Device& device, const Tensor& w, const Tensor& x, Tensor& y) {
  const std::int64_t n = w.dim(0), q = w.dim(1), d = x.dim(1);
  if (!cpu::panels_are_fast || n < cpu::Panels::width) return product(device, w, x, y);
  const std::int64_t count = (d + cpu::Panels::width - 1) / cpu::Panels::width;
  const Tensor room = device.empty({count, q, cpu::Panels::width}, DType::f32);
  const cpu::Panels panels{room.raw<float>(), q, d};
  threaded_lines(device, count, cpu::Panels::width * q,
                 [&]<class T>(std::int64_t first, std::int64_t last) {
                   for (std::int64_t p = first; p < last; ++p) panels.fill(x.raw<float>(), d, p);
                 });
  threaded_lines(device, n, q * d, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t p = 0; p < count; ++p)
      cpu::multiply_rows(w.raw<float>(), q, panels, p, first, last, false, y.raw<float>(), d);
  });
}

void cpu(Device& device, const Tensor& w, const Tensor& x, Tensor& y) {
  const std::int64_t n = w.dim(0), q = w.dim(1), d = x.dim(1), room = q / few + 1;
  const Tensor columns =
      device.empty({n, room}, DType::i64);  // kept between steps, unlike malloc's
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(n));
  const auto columns_of = [&](std::int64_t i) { return columns.raw<std::int64_t>() + i * room; };
  threaded_lines(device, n, 3 * q, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      sizes[static_cast<std::size_t>(i)] = choose(w.raw<float>() + i * q, q, columns_of(i)).size;
  });
  for (const std::int64_t size : sizes)
    if (size < 0) return product_cpu(device, w, x, y);
  threaded_lines(device, n, 8 * d, [&]<class T>(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      mix(w.raw<float>() + i * q, {columns_of(i), sizes[static_cast<std::size_t>(i)]}, x,
          y.raw<float>() + i * d);
  });
}

const bool mix_rows_added = kernel::mix_rows.add(Backend::reference, product) &&
                            kernel::mix_rows.add(Backend::cpu, cpu) &&
                            kernel::mix_rows.add(Backend::cuda, product);

}  // namespace
}  // namespace dml
