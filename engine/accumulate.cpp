#include "engine/accumulate.hpp"

#include "engine/cpu/parallel.hpp"

namespace dml {
namespace {

template <class T>
void add_rows(const Tensor& a, const Tensor& b, Tensor& out, std::int64_t first,
              std::int64_t last) {
  const std::int64_t width = out.row_length();
  for (std::int64_t r = first; r < last; ++r) {
    const T* x = a.raw<T>() + r * a.pitch();
    const T* y = b.raw<T>() + r * b.pitch();
    T* z = out.raw<T>() + r * out.pitch();
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i)
      z[i] = static_cast<T>(static_cast<Work<T>>(x[i]) + static_cast<Work<T>>(y[i]));
  }
}

void reference(Device&, const Tensor& a, const Tensor& b, Tensor& out) {
  visit_stored(out.dtype(), [&]<class T>() { add_rows<T>(a, b, out, 0, out.row_count()); });
}

void fast(Device& device, const Tensor& a, const Tensor& b, Tensor& out) {
  if (out.dtype() == DType::f32 && a.packed() && b.packed() && out.packed()) {
    const float *x = a.raw<float>(), *y = b.raw<float>();
    float* z = out.raw<float>();
    cpu::parallel_for(device.threads(), out.size(), 1 << 14,
                      [=](std::int64_t first, std::int64_t last) {
#pragma omp simd
                        for (std::int64_t i = first; i < last; ++i) z[i] = x[i] + y[i];
                      });
    return;
  }
  const std::int64_t rows = 1 + (1 << 14) / (out.row_length() + 1);
  visit_stored(out.dtype(), [&]<class T>() {
    cpu::parallel_for(
        device.threads(), out.row_count(), rows,
        [&](std::int64_t first, std::int64_t last) { add_rows<T>(a, b, out, first, last); });
  });
}

const bool accumulate_added = kernel::accumulate.add(Backend::reference, reference) &&
                              kernel::accumulate.takes_bf16(Backend::reference) &&
                              kernel::accumulate.add(Backend::cpu, fast) &&
                              kernel::accumulate.takes_bf16(Backend::cpu);

}  // namespace
}  // namespace dml
