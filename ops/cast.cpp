#include "ops/cast.hpp"

#include "engine/convert.hpp"

namespace dml {
namespace {

struct Cast {
  DType to, from = DType::f32;

  Tensor forward(Device& device, const Tensor& x) {
    from = x.dtype();
    return converted(device, x, to);
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    return {converted(device, dy, from)};
  }
};

}  // namespace

Var cast(const Var& x, DType type) {
  if (x.dtype() == type) return x;
  return apply(Cast{.to = type}, x);
}

}  // namespace dml
