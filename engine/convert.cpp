#include "engine/convert.hpp"

#include "engine/convert_kernel.hpp"
#include "engine/cpu/parallel.hpp"

namespace dml {
namespace {

template <class From, class To>
void rows(const Tensor& from, Tensor& to, std::int64_t first, std::int64_t last) {
  const std::int64_t width = to.row_length();
  for (std::int64_t r = first; r < last; ++r) {
    const From* in = from.raw<From>() + r * from.pitch();
    To* out = to.raw<To>() + r * to.pitch();
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i)
      out[i] = static_cast<To>(static_cast<Work<To>>(static_cast<Work<From>>(in[i])));
  }
}

void every_row(const Tensor& from, Tensor& to, std::int64_t first, std::int64_t last) {
  visit_stored(from.dtype(), [&]<class From>() {
    visit_stored(to.dtype(), [&]<class To>() { rows<From, To>(from, to, first, last); });
  });
}

void reference(Device&, const Tensor& from, Tensor& to) { every_row(from, to, 0, to.row_count()); }

/// Packed tensors are cut into rows of a length that suits the threads, whatever their own.
void fast(Device& device, const Tensor& from, Tensor& to) {
  constexpr std::int64_t length = 1 << 14;
  if (from.packed() && to.packed() && to.row_length() != length && to.size() >= length) {
    const std::int64_t whole = to.size() / length, rest = to.size() % length;
    const Tensor in(from.storage(), {whole, length}, from.dtype(), from.offset());
    Tensor out(to.storage(), {whole, length}, to.dtype(), to.offset());
    fast(device, in, out);
    const Tensor last_in(from.storage(), {1, rest}, from.dtype(), from.offset() + whole * length);
    Tensor last_out(to.storage(), {1, rest}, to.dtype(), to.offset() + whole * length);
    return every_row(last_in, last_out, 0, 1);
  }
  cpu::parallel_for(
      device.threads(), to.row_count(), 1 + length / (to.row_length() + 1),
      [&](std::int64_t first, std::int64_t last) { every_row(from, to, first, last); });
}

const bool convert_added = kernel::convert.add(Backend::reference, reference) &&
                           kernel::convert.takes_bf16(Backend::reference) &&
                           kernel::convert.add(Backend::cpu, fast) &&
                           kernel::convert.takes_bf16(Backend::cpu);

}  // namespace

void convert(Device& device, const Tensor& from, Tensor& to) {
  DML_CHECK(from.shape() == to.shape(), "convert: shapes " + to_string(from.shape()) + " and " +
                                            to_string(to.shape()) + " differ");
  if (from.size() > 0) kernel::convert(device, from, to);
}

Tensor converted(Device& device, const Tensor& tensor, DType type) {
  if (!tensor.defined() || tensor.dtype() == type) return tensor;
  Tensor result = device.empty(tensor.shape(), type);
  convert(device, tensor, result);
  return result;
}

}  // namespace dml
