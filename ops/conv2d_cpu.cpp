#include <algorithm>
#include <vector>

#include "engine/cpu/onednn.hpp"
#include "engine/cpu/parallel.hpp"
#include "ops/conv2d.hpp"
#include "ops/conv2d_columns.hpp"
#include "ops/conv2d_weight.hpp"
#include "ops/matmul.hpp"

namespace dml {
namespace {

namespace onednn = cpu::onednn;

onednn::Convolution describe(const Shape& x, const Shape& weight, const Shape& y,
                             const Conv2dOptions& options) {
  return {x[0],
          x[1],
          x[2],
          x[3],
          weight[0],
          weight[1],
          weight[2],
          y[1],
          y[2],
          {options.stride[0], options.stride[1]},
          {options.pad[0], options.pad[1]},
          {options.dilation[0], options.dilation[1]}};
}

/// The weights with both axes of the window reversed, [k, r, s, c] as before.
Tensor flipped(Device& device, const Tensor& weight) {
  const std::int64_t taps = weight.dim(1) * weight.dim(2), c = weight.dim(3);
  if (taps == 1) return weight;
  Tensor result = device.empty(weight.shape(), weight.dtype());
  const float* from = weight.raw<float>();
  float* to = result.raw<float>();
  cpu::parallel_for(device.threads(), weight.dim(0), 1 + (1 << 14) / (taps * c),
                    [=](std::int64_t first, std::int64_t last) {
                      for (std::int64_t k = first; k < last; ++k)
                        for (std::int64_t t = 0; t < taps; ++t)
                          std::copy_n(from + (k * taps + t) * c, c,
                                      to + (k * taps + taps - 1 - t) * c);
                    });
  return result;
}

void forward(Device& device, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
             const Conv2dEpilogue& epilogue, Tensor& y) {
  if (options.groups == 1) {
    const onednn::Epilogue after{
        epilogue.bias.defined() ? epilogue.bias.raw<float>() : nullptr,
        epilogue.residual.defined() ? epilogue.residual.raw<float>() : nullptr, epilogue.relu};
    ArrangedWeights* keep = epilogue.arranged;
    onednn::Kept kept;
    if (keep != nullptr && keep->bytes.defined()) kept = {keep->bytes.storage(), keep->for_whom};
    if (onednn::forward(describe(x.shape(), weight.shape(), y.shape(), options), x.raw<float>(),
                        weight.raw<float>(), onednn::WeightOrder::krsc, after, y.raw<float>(),
                        keep == nullptr ? nullptr : &kept)) {
      if (keep != nullptr && kept.storage && kept.primitive != keep->for_whom)
        *keep = {Tensor(kept.storage, {static_cast<std::int64_t>(kept.storage->size)}, DType::u8),
                 kept.primitive};
      return;
    }
  }
  columns::forward(device, x, weight, options, epilogue, y);
}

/// With stride 1, dx is the convolution of dy with the flipped weights, their channels exchanged:
/// oneDNN 2.6 has faster forward kernels than backward ones.
bool as_forward(Device& device, const Tensor& dy, const Tensor& weight,
                const Conv2dOptions& options, Tensor& dx) {
  onednn::Convolution v = describe(dy.shape(), weight.shape(), dx.shape(), options);
  v.c = weight.dim(0);
  v.k = weight.dim(3);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if (v.stride[axis] != 1) return false;
    v.pad[axis] = v.dilation[axis] * (weight.dim(static_cast<int>(axis) + 1) - 1) - v.pad[axis];
    if (v.pad[axis] < 0) return false;
  }
  const Tensor taps = flipped(device, weight);
  return onednn::forward(v, dy.raw<float>(), taps.raw<float>(), onednn::WeightOrder::crsk, {},
                         dx.raw<float>());
}

/// A window of one pixel with a stride: the gradient of the pixels that it sees, zero elsewhere.
bool as_point(Device& device, const Tensor& dy, const Tensor& weight, const Conv2dOptions& options,
              Tensor& dx) {
  if (weight.dim(1) * weight.dim(2) != 1 || options.pad != std::array{0, 0}) return false;
  const std::int64_t h = dx.dim(1), w = dx.dim(2), c = dx.dim(3), oh = dy.dim(1), ow = dy.dim(2);
  const std::int64_t down = options.stride[0], across = options.stride[1];
  Tensor seen = device.empty({dx.dim(0), oh, ow, c}, DType::f32);
  if (!as_forward(device, dy, weight, {}, seen)) return false;
  const float* from = seen.raw<float>();
  float* to = dx.raw<float>();
  cpu::parallel_for(device.threads(), dx.dim(0) * h, 1 + (1 << 13) / (w * c),
                    [=](std::int64_t first, std::int64_t last) {
                      for (std::int64_t row = first; row < last; ++row) {
                        float* line = to + row * w * c;
                        const std::int64_t p = row % h;
                        const bool seen_row = p % down == 0 && p / down < oh;
                        std::fill_n(line, w * c, 0.0F);
                        for (std::int64_t q = 0; seen_row && q < ow; ++q)
                          std::copy_n(from + ((row / h * oh + p / down) * ow + q) * c, c,
                                      line + q * across * c);
                      }
                    });
  return true;
}

void backward_data(Device& device, const Tensor& dy, const Tensor& weight,
                   const Conv2dOptions& options, Tensor& dx) {
  if (options.groups == 1 &&
      (as_forward(device, dy, weight, options, dx) || as_point(device, dy, weight, options, dx) ||
       onednn::backward_data(describe(dx.shape(), weight.shape(), dy.shape(), options),
                             dy.raw<float>(), weight.raw<float>(), dx.raw<float>())))
    return;
  columns::backward_data(device, dy, weight, options, dx);
}

void backward_weight(Device& device, const Tensor& x, const Tensor& dy,
                     const Conv2dOptions& options, Tensor& dweight, Tensor& dbias) {
  if (dbias.defined()) kernel::sum_rows(device, dy, dbias);
  if (conv2d_weight_gradient(device, x, dy, options, dweight)) return;
  if (options.groups == 1 &&
      onednn::backward_weight(describe(x.shape(), dweight.shape(), dy.shape(), options),
                              x.raw<float>(), dy.raw<float>(), dweight.raw<float>()))
    return;
  columns::backward_weight(device, x, dy, options, dweight);
}

const bool conv2d_cpu_added = kernel::conv2d_fwd.add(Backend::cpu, forward) &&
                              kernel::conv2d_bwd_data.add(Backend::cpu, backward_data) &&
                              kernel::conv2d_bwd_weight.add(Backend::cpu, backward_weight);

}  // namespace
}  // namespace dml
