#pragma once
#include <utility>

#include "engine/tape.hpp"

namespace dml {

/// The same elements in another shape of equal count; packed, they share memory.
struct Reshape {
  Shape to;
  Shape from{};  ///< kept for the backward pass

  Tensor forward(Device& device, const Tensor& x) {
    from = x.shape();
    return device.dense(x).reshape(to);
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    return {device.dense(dy).reshape(from)};
  }
};

/// x with another shape.   One size may be -1: what is left over.
/// @throws ShapeError when the counts differ.
inline Var reshape(const Var& x, Shape to) {
  std::int64_t known = 1;
  for (const std::int64_t size : to) known *= size < 0 ? 1 : size;
  for (std::int64_t& size : to)
    if (size < 0 && known > 0) size = x.value().size() / known;
  DML_CHECK(count(to) == x.value().size(),
            "reshape: " + to_string(x.shape()) + " to " + to_string(to) + ": the counts differ");
  return apply(Reshape{std::move(to)}, x);
}

}  // namespace dml
