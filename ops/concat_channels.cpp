#include "ops/concat_channels.hpp"

namespace dml {
namespace {

bool same_place(const Tensor& a, const Tensor& b) {
  return a.shares_memory(b) && a.offset() == b.offset() && a.pitch() == b.pitch();
}

/// y = [x0 | x1 | ...],  dx_i = the channels of dy where x_i went.
struct ConcatChannels {
  Tensor whole;
  std::vector<std::int64_t> widths{};

  OpDescription describe() const { return {.name = "concat_channels"}; }
  Tensor forward(Device& device, std::span<const Tensor> parts) {
    std::int64_t first = 0;
    for (const Tensor& part : parts) {
      Tensor slice = whole.channels(first, first + part.dim(-1));
      if (!same_place(part, slice)) device.copy(part, slice);
      widths.push_back(part.dim(-1));
      first += part.dim(-1);
    }
    return std::exchange(whole, {});
  }

  std::vector<Tensor> backward(Device&, const Tensor& dy, const std::vector<bool>& wanted) const {
    std::vector<Tensor> all(widths.size());
    std::int64_t first = 0;
    for (std::size_t i = 0; i < widths.size(); first += widths[i++])
      if (wanted[i]) all[i] = dy.channels(first, first + widths[i]);
    return all;
  }
};

Shape joined_shape(std::span<const Var> parts) {
  DML_CHECK(!parts.empty(), "concat_channels: there is nothing to join");
  Shape shape = parts[0].shape();
  DML_CHECK(!shape.empty(), "concat_channels: the parts must be [..., c]");
  shape.back() = 0;
  for (const Var& part : parts) {
    Shape leading = part.shape();
    DML_CHECK(leading.size() == shape.size(), "concat_channels: parts " +
                                                  to_string(parts[0].shape()) + " and " +
                                                  to_string(part.shape()));
    leading.back() = shape.back();
    DML_CHECK(leading == shape && part.dtype() == parts[0].dtype(),
              "concat_channels: parts " + to_string(parts[0].shape()) + " and " +
                  to_string(part.shape()) + " differ before the last dimension, or in type");
    shape.back() += part.dim(-1);
  }
  return shape;
}

}  // namespace

Tensor ChannelBuffer::next(std::int64_t channels) {
  DML_CHECK(channels > 0 && used_ + channels <= whole_.dim(-1),
            "ChannelBuffer: " + std::to_string(channels) + " channels asked for, " +
                std::to_string(whole_.dim(-1) - used_) + " are left of " +
                to_string(whole_.shape()));
  used_ += channels;
  return whole_.channels(used_ - channels, used_);
}

Var concat_channels(std::span<const Var> parts, const ChannelBuffer& buffer) {
  const Shape shape = joined_shape(parts);
  DML_CHECK(shape == buffer.whole().shape() && parts[0].dtype() == buffer.whole().dtype(),
            "concat_channels: the parts make " + to_string(shape) + ", the buffer has " +
                to_string(buffer.whole().shape()));
  return parts[0].tape().run_many(ConcatChannels{.whole = buffer.whole()}, parts);
}

Var concat_channels(std::span<const Var> parts) {
  const Shape shape = joined_shape(parts);
  const ChannelBuffer buffer(parts[0].device(), shape, parts[0].dtype());
  return concat_channels(parts, buffer);
}

}  // namespace dml
