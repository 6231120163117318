#pragma once
#include <span>

#include "engine/tape.hpp"

namespace dml {

/// The place of a concatenation along the last dimension, handed out in slices before its parts
/// are computed: an op that takes an `into` tensor writes its slice directly, and concat_channels
/// then has nothing to copy.
///
///     ChannelBuffer joined(x.device(), {n, h, w, 256}, x.dtype());
///     Var a = batch_norm(..., joined.next(64));
///     Var b = max_pool2d(x, options, joined.next(192));
///     Var y = concat_channels(std::array{a, b}, joined);
class ChannelBuffer {
 public:
  /// @param shape  of the whole result, [..., c].
  ChannelBuffer(const Device& device, const Shape& shape, DType type)
      : whole_(device.empty(shape, type)) {}

  /// The next `channels` channels, behind those already handed out.
  /// @throws ShapeError when fewer are left.
  Tensor next(std::int64_t channels);
  const Tensor& whole() const { return whole_; }

 private:
  Tensor whole_;
  std::int64_t used_ = 0;
};

/// Joins the parts along the last dimension, in their order. The parts of the gradient are slices
/// (with a row pitch) of the incoming gradient, not copies.
///
/// @param parts   [..., c_i] with equal leading dimensions.
/// @param buffer  where the result lies; parts that are not its slices in order are copied into it.
/// @return        [..., sum c_i]
/// @throws        ShapeError when leading dimensions differ or the channels do not fill the buffer.
Var concat_channels(std::span<const Var> parts, const ChannelBuffer& buffer);
/// The same with a buffer of its own: all parts are copied.
Var concat_channels(std::span<const Var> parts);

}  // namespace dml
