#include "ops/conv2d.hpp"

#include "engine/convert.hpp"

namespace dml {
namespace {

/// The weights as the products with x want them: rounded to bf16 where x is.
Tensor working_copy(Device& device, const Tensor& weight, const Tensor& x) {
  const Tensor packed = device.dense(weight);
  return x.dtype() == DType::bf16 ? converted(device, packed, DType::bf16) : packed;
}

/// y = conv(x, weight) + bias. The gradients are convolutions again:
///   dx = dy correlated with the flipped weight,  dweight = x correlated with dy,  dbias = sum of
///   dy.
struct Conv2d {
  Conv2dOptions options;
  Tensor x, weight;  // kept for the backward pass

  OpDescription describe() const {
    return {.name = "conv2d",
            .settings = {{"stride", pair(options.stride)},
                         {"pad", pair(options.pad)},
                         {"dilation", pair(options.dilation)},
                         {"groups", {static_cast<double>(options.groups)}}}};
  }
  static std::vector<double> pair(const std::array<int, 2>& two) {
    return {two.begin(), two.end()};
  }
  Tensor forward(Device& device, const Tensor& in, const Tensor& w) {
    return forward(device, in, w, {});
  }
  Tensor forward(Device& device, const Tensor& in, const Tensor& w, const Tensor& bias) {
    x = device.dense(in);
    weight = working_copy(device, w, x);
    Tensor y = device.empty(conv2d_shape(x.shape(), weight.shape(), options), x.dtype());
    kernel::conv2d_fwd(device, x, weight, options, {.bias = bias}, y);
    return y;
  }

  template <std::size_t N>
  Grads<N> backward(Device& device, const Tensor& gradient, std::array<bool, N> wanted) {
    const Tensor dy = device.dense(gradient);
    Tensor dx, dweight, dbias;
    if (N == 3 && wanted[N - 1]) dbias = device.empty({weight.dim(0)}, work_type(weight.dtype()));
    if (wanted[1] || dbias.defined()) {
      dweight = device.empty(weight.shape(), work_type(weight.dtype()));
      kernel::conv2d_bwd_weight(device, x, dy, options, dweight, dbias);
    }
    const Shape shape = x.shape();
    x = {};  // its memory serves dx
    if (wanted[0]) {
      dx = device.empty(shape, dy.dtype());
      kernel::conv2d_bwd_data(device, dy, weight, options, dx);
    }
    Grads<N> all{dx, dweight};
    if constexpr (N == 3) all[2] = dbias;
    return all;
  }
};

std::int64_t extent(std::int64_t size, std::int64_t window, const Conv2dOptions& options,
                    std::size_t axis) {
  const std::int64_t reach = options.dilation[axis] * (window - 1) + 1;
  const std::int64_t padded = size + 2 * options.pad[axis];
  DML_CHECK(padded >= reach, "conv2d: the window covers " + std::to_string(reach) +
                                 " pixels of a padded map of " + std::to_string(padded));
  return (padded - reach) / options.stride[axis] + 1;
}

}  // namespace

Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dOptions& options) {
  const std::string shapes = "conv2d: x " + to_string(x) + ", weight " + to_string(weight);
  DML_CHECK(x.size() == 4 && weight.size() == 4,
            shapes + "\n  [n, h, w, c] and [k, r, s, c / groups] are needed");
  for (std::size_t axis = 0; axis < 2; ++axis)
    DML_CHECK(options.stride[axis] > 0 && options.dilation[axis] > 0 && options.pad[axis] >= 0,
              "conv2d: stride and dilation must be at least 1, pad at least 0");
  DML_CHECK(options.groups > 0 && x[3] == weight[3] * options.groups &&
                weight[0] % options.groups == 0 && weight[1] > 0 && weight[2] > 0,
            shapes + " with " + std::to_string(options.groups) + " groups do not go together");
  return {x[0], extent(x[1], weight[1], options, 0), extent(x[2], weight[2], options, 1),
          weight[0]};
}

Var conv2d(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options) {
  const Conv2d op{.options = options, .x = {}, .weight = {}};
  if (!bias.defined()) return apply(op, x, weight);
  DML_CHECK(bias.shape() == Shape{weight.dim(0)},
            "conv2d: bias " + to_string(bias.shape()) + " for weight " + to_string(weight.shape()));
  return apply(op, x, weight, bias);
}

Tensor conv2d_inference(Device& device, const Tensor& x, const Tensor& weight,
                        const Conv2dOptions& options, const Conv2dEpilogue& epilogue) {
  Tensor y = device.empty(conv2d_shape(x.shape(), weight.shape(), options), x.dtype());
  DML_CHECK(!epilogue.bias.defined() || epilogue.bias.shape() == Shape{weight.dim(0)},
            "conv2d: bias " + to_string(epilogue.bias.shape()) + " for weight " +
                to_string(weight.shape()));
  DML_CHECK(!epilogue.residual.defined() || epilogue.residual.shape() == y.shape(),
            "conv2d: residual " + to_string(epilogue.residual.shape()) + " for a result " +
                to_string(y.shape()));
  Conv2dEpilogue packed = epilogue;
  if (packed.residual.defined()) packed.residual = device.dense(packed.residual);
  kernel::conv2d_fwd(device, device.dense(x), working_copy(device, weight, x), options, packed, y);
  return y;
}

}  // namespace dml
