#include "ops/dropout.hpp"

#include "ops/arithmetic.hpp"
#include "ops/lines.hpp"

namespace dml {
namespace {

template <class T>
void draw(double p, const Random& random, Tensor& mask, std::int64_t first, std::int64_t last) {
  const T kept = T(1 / (1 - p));
  const float bound = static_cast<float>(p);
  T* const to = mask.raw<T>();
  std::int64_t i = first;
  for (; i < last && i % 4 != 0; ++i)
    to[i] = random.uniform_float(static_cast<std::uint64_t>(i)) >= bound ? kept : T(0);
  for (; i + 4 <= last; i += 4) {  // four numbers at the price of one
    const Random::Block block = random.block(static_cast<std::uint64_t>(i / 4));
    for (int k = 0; k < 4; ++k) to[i + k] = Random::unit(block.word[k]) >= bound ? kept : T(0);
  }
  for (; i < last; ++i)
    to[i] = random.uniform_float(static_cast<std::uint64_t>(i)) >= bound ? kept : T(0);
}

void reference(Device&, double p, const Random& random, Tensor& mask) {
  serial_lines(mask.dtype(), mask.size(), [&]<class T>(std::int64_t first, std::int64_t last) {
    draw<T>(p, random, mask, first, last);
  });
}
void fast(Device& device, double p, const Random& random, Tensor& mask) {
  threaded_lines(device, mask.size(), 8, [&]<class T>(std::int64_t first, std::int64_t last) {
    draw<T>(p, random, mask, first, last);
  });
}

const bool dropout_added = kernel::dropout_mask.add(Backend::reference, reference) &&
                           kernel::dropout_mask.add(Backend::cpu, fast);

}  // namespace

Var dropout(const Var& x, double p) {
  if (!(p >= 0 && p < 1))
    throw UsageError("dropout: p = " + std::to_string(p) + "; it must be in [0, 1)");
  if (!x.training() || p == 0) return x;
  Tensor mask = x.device().empty(x.shape(), x.dtype());
  kernel::dropout_mask(x.device(), p, x.tape().next_random(), mask);
  return x * x.constant_like(mask);
}

}  // namespace dml
