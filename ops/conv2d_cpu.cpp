#include <algorithm>
#include <vector>

#include "engine/convert.hpp"
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
                             const Conv2dOptions& options, DType type) {
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
          {options.dilation[0], options.dilation[1]},
          type == DType::bf16};
}

/// The weights with both axes of the window reversed, [k, r, s, c] as before.
template <class T> Tensor flipped(Device& device, const Tensor& weight) {
  const std::int64_t taps = weight.dim(1) * weight.dim(2), c = weight.dim(3);
  if (taps == 1) return weight;
  Tensor result = device.empty(weight.shape(), weight.dtype());
  const T* from = weight.raw<T>();
  T* to = result.raw<T>();
  cpu::parallel_for(device.threads(), weight.dim(0), 1 + (1 << 14) / (taps * c),
                    [=](std::int64_t first, std::int64_t last) {
                      for (std::int64_t k = first; k < last; ++k)
                        for (std::int64_t t = 0; t < taps; ++t)
                          std::copy_n(from + (k * taps + t) * c, c,
                                      to + (k * taps + taps - 1 - t) * c);
                    });
  return result;
}

bool library_forward(const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
                     const Conv2dEpilogue& epilogue, Tensor& y) {
  if (options.groups != 1) return false;
  const onednn::Epilogue after{
      epilogue.bias.defined() ? epilogue.bias.raw<float>() : nullptr,
      epilogue.residual.defined() ? epilogue.residual.raw_bytes() : nullptr, epilogue.relu};
  ArrangedWeights* keep = epilogue.arranged;
  onednn::Kept kept;
  if (keep != nullptr && keep->bytes.defined()) kept = {keep->bytes.storage(), keep->for_whom};
  if (!onednn::forward(describe(x.shape(), weight.shape(), y.shape(), options, x.dtype()),
                       x.raw_bytes(), weight.raw_bytes(), onednn::WeightOrder::krsc, after,
                       y.raw_bytes(), keep == nullptr ? nullptr : &kept))
    return false;
  if (keep != nullptr && kept.storage && kept.primitive != keep->for_whom)
    *keep = {Tensor(kept.storage, {static_cast<std::int64_t>(kept.storage->size)}, DType::u8),
             kept.primitive};
  return true;
}

/// What the library does not take in bf16 is computed in f32.
void forward(Device& device, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
             const Conv2dEpilogue& epilogue, Tensor& y) {
  if (library_forward(x, weight, options, epilogue, y)) return;
  if (x.dtype() != DType::bf16) return columns::forward(device, x, weight, options, epilogue, y);
  Conv2dEpilogue wide = epilogue;
  wide.residual = widen(device, epilogue.residual);
  wide.arranged = nullptr;
  Tensor result = device.empty(y.shape(), DType::f32);
  forward(device, widen(device, x), widen(device, weight), options, wide, result);
  convert(device, result, y);
}

/// With stride 1, dx is the convolution of dy with the flipped weights, their channels exchanged:
/// oneDNN 2.6 has faster forward kernels than backward ones.
template <class T>
bool as_forward(Device& device, const Tensor& dy, const Tensor& weight,
                const Conv2dOptions& options, Tensor& dx) {
  onednn::Convolution v = describe(dy.shape(), weight.shape(), dx.shape(), options, dy.dtype());
  v.c = weight.dim(0);
  v.k = weight.dim(3);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if (v.stride[axis] != 1) return false;
    v.pad[axis] = v.dilation[axis] * (weight.dim(static_cast<int>(axis) + 1) - 1) - v.pad[axis];
    if (v.pad[axis] < 0) return false;
  }
  const Tensor taps = flipped<T>(device, weight);
  return onednn::forward(v, dy.raw<T>(), taps.raw<T>(), onednn::WeightOrder::crsk, {}, dx.raw<T>());
}

/// A window of one pixel with a stride: the gradient of the pixels that it sees, zero elsewhere.
template <class T>
bool as_point(Device& device, const Tensor& dy, const Tensor& weight, const Conv2dOptions& options,
              Tensor& dx) {
  if (weight.dim(1) * weight.dim(2) != 1 || options.pad != std::array{0, 0}) return false;
  const std::int64_t h = dx.dim(1), w = dx.dim(2), c = dx.dim(3), oh = dy.dim(1), ow = dy.dim(2);
  const std::int64_t down = options.stride[0], across = options.stride[1];
  Tensor seen = device.empty({dx.dim(0), oh, ow, c}, dx.dtype());
  if (!as_forward<T>(device, dy, weight, {}, seen)) return false;
  const T* from = seen.raw<T>();
  T* to = dx.raw<T>();
  cpu::parallel_for(device.threads(), dx.dim(0) * h, 1 + (1 << 13) / (w * c),
                    [=](std::int64_t first, std::int64_t last) {
                      for (std::int64_t row = first; row < last; ++row) {
                        T* line = to + row * w * c;
                        const std::int64_t p = row % h;
                        const bool seen_row = p % down == 0 && p / down < oh;
                        std::fill_n(line, w * c, T(0.0F));
                        for (std::int64_t q = 0; seen_row && q < ow; ++q)
                          std::copy_n(from + ((row / h * oh + p / down) * ow + q) * c, c,
                                      line + q * across * c);
                      }
                    });
  return true;
}

template <class T>
bool library_backward_data(Device& device, const Tensor& dy, const Tensor& weight,
                           const Conv2dOptions& options, Tensor& dx) {
  return options.groups == 1 && (as_forward<T>(device, dy, weight, options, dx) ||
                                 as_point<T>(device, dy, weight, options, dx) ||
                                 onednn::backward_data(describe(dx.shape(), weight.shape(),
                                                                dy.shape(), options, dy.dtype()),
                                                       dy.raw<T>(), weight.raw<T>(), dx.raw<T>()));
}

void backward_data(Device& device, const Tensor& dy, const Tensor& weight,
                   const Conv2dOptions& options, Tensor& dx) {
  if (visit_narrow(dy.dtype(), [&]<class T>() {
        return library_backward_data<T>(device, dy, weight, options, dx);
      }))
    return;
  if (dy.dtype() != DType::bf16) return columns::backward_data(device, dy, weight, options, dx);
  Tensor result = device.empty(dx.shape(), DType::f32);
  backward_data(device, widen(device, dy), widen(device, weight), options, result);
  convert(device, result, dx);
}

void backward_weight(Device& device, const Tensor& x, const Tensor& dy,
                     const Conv2dOptions& options, Tensor& dweight, Tensor& dbias) {
  if (dbias.defined()) kernel::sum_rows(device, dy, dbias);
  const bool wide = x.dtype() == DType::f32;
  if (wide && conv2d_weight_gradient(device, x, dy, options, dweight)) return;
  if (options.groups == 1 &&
      onednn::backward_weight(describe(x.shape(), dweight.shape(), dy.shape(), options, x.dtype()),
                              x.raw_bytes(), dy.raw_bytes(), dweight.raw<float>()))
    return;
  if (wide) return columns::backward_weight(device, x, dy, options, dweight);
  Tensor none;
  backward_weight(device, widen(device, x), widen(device, dy), options, dweight, none);
}

const bool conv2d_cpu_added = kernel::conv2d_fwd.add(Backend::cpu, forward) &&
                              kernel::conv2d_bwd_data.add(Backend::cpu, backward_data) &&
                              kernel::conv2d_bwd_weight.add(Backend::cpu, backward_weight) &&
                              kernel::conv2d_fwd.takes_bf16(Backend::cpu) &&
                              kernel::conv2d_bwd_data.takes_bf16(Backend::cpu) &&
                              kernel::conv2d_bwd_weight.takes_bf16(Backend::cpu);

}  // namespace
}  // namespace dml
