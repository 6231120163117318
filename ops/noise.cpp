#include "ops/noise.hpp"

#include "ops/lines.hpp"

namespace dml {
namespace {

template <class T>
void fill(const NoiseRows& rows, Tensor& y, std::int64_t first, std::int64_t last) {
  const std::int64_t width = y.dim(1);
  for (std::int64_t i = first; i < last; ++i)
    for (std::int64_t k = 0; k < width; ++k)
      y.raw<T>()[i * width + k] = static_cast<T>(rows.value(i, k));
}

void reference(Device&, const NoiseRows& rows, Tensor& y) {
  serial_lines(y.dtype(), y.dim(0), [&]<class T>(std::int64_t first, std::int64_t last) {
    fill<T>(rows, y, first, last);
  });
}
void fast(Device& device, const NoiseRows& rows, Tensor& y) {
  threaded_lines(
      device, y.dim(0), 32 * y.dim(1),
      [&]<class T>(std::int64_t first, std::int64_t last) { fill<T>(rows, y, first, last); });
}

const bool noise_added =
    kernel::noise.add(Backend::reference, reference) && kernel::noise.add(Backend::cpu, fast);

}  // namespace

Tensor noise(Device& device, const NoiseRows& rows, const Shape& shape, DType type) {
  DML_CHECK(shape.size() == 2, "noise: [rows, columns] are needed, not " + to_string(shape));
  Tensor y = device.empty(shape, type);
  kernel::noise(device, rows, y);
  return y;
}

}  // namespace dml
