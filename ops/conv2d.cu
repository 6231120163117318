#include <cstdint>
#include <string>

#include "engine/convert.hpp"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/libraries.cuh"
#include "ops/conv2d.hpp"
#include "ops/matmul.hpp"

namespace dml {
namespace {

using cuda::ConvolutionKey;
using cuda::ConvolutionKind;

std::array<std::int64_t, 4> sizes(const Tensor& tensor) {
  return {tensor.dim(0), tensor.dim(1), tensor.dim(2), tensor.dim(3)};
}

/// The largest power of two, at most 16, to which all addresses are aligned.
std::int64_t alignment_of(std::initializer_list<const Tensor*> tensors) {
  std::uintptr_t bits = 16;
  for (const Tensor* tensor : tensors)
    if (tensor->defined()) bits |= reinterpret_cast<std::uintptr_t>(tensor->raw_bytes());
  return static_cast<std::int64_t>(bits & (~bits + 1));
}

ConvolutionKey key_of(ConvolutionKind kind, const Tensor& x, const Tensor& weight, const Tensor& y,
                      const Conv2dOptions& options) {
  ConvolutionKey key;
  key.kind = kind;
  key.type = x.dtype();
  key.x = sizes(x);
  key.weight = sizes(weight);
  key.y = sizes(y);
  key.stride = {options.stride[0], options.stride[1]};
  key.pad = {options.pad[0], options.pad[1]};
  key.dilation = {options.dilation[0], options.dilation[1]};
  key.alignment = alignment_of({&x, &weight, &y});
  return key;
}

void run(cuda::Context& context, ConvolutionKey key,
         const cuda::ConvolutionPlan::Tensors& tensors) {
  key.tf32 = key.type == DType::f32 && context.tf32();
  cuda::Libraries& libraries = context.libraries();
  const auto [known, fresh] = libraries.convolutions.try_emplace(key, libraries.cudnn, key);
  const cuda::ConvolutionPlan& plan = known->second;
  if (!plan.found())
    throw DeviceError("conv2d: cuDNN has no plan for " + to_string(key) + "\n  " +
                      plan.summary().words);
  const cuda::Temporary workspace(context, static_cast<std::size_t>(plan.summary().workspace));
  plan.run(libraries.cudnn, tensors, workspace.as<std::byte>());
}

/// Whether the convolution is a product of the matrices [n h w, c] and [c, k]. In f32 the library
/// for matrix products is taken: cuDNN's engines without TF32 reorder the tensors first.
bool is_product(const cuda::Context& context, const Tensor& x, const Tensor& weight,
                const Conv2dOptions& options) {
  const bool tensor_cores = x.dtype() == DType::bf16 || (x.dtype() == DType::f32 && context.tf32());
  return !tensor_cores && weight.dim(1) == 1 && weight.dim(2) == 1 && options.groups == 1 &&
         options.stride == std::array{1, 1} && options.pad == std::array{0, 0};
}

Tensor as_matrix(const Tensor& tensor) {
  return tensor.reshape({tensor.size() / tensor.dim(-1), tensor.dim(-1)});
}
Tensor weight_matrix(const Tensor& weight) {
  return weight.reshape({weight.dim(0), weight.dim(3)});
}

/// y = act(y + bias + residual)
template <class T> void finish(cuda::Context& context, const Conv2dEpilogue& epilogue, Tensor& y) {
  const T* bias = epilogue.bias.defined() ? epilogue.bias.raw<T>() : nullptr;
  const T* residual = epilogue.residual.defined() ? epilogue.residual.raw<T>() : nullptr;
  const bool relu = epilogue.relu;
  if (bias == nullptr && residual == nullptr && !relu) return;
  T* out = y.raw<T>();
  const std::int64_t channels = y.dim(3);
  cuda::for_each_cell(context, y.row_count(), channels,
                      [=] __device__(std::int64_t r, std::int64_t c) {
                        T value = out[r * channels + c];
                        if (bias != nullptr) value += bias[c];
                        if (residual != nullptr) value += residual[r * channels + c];
                        out[r * channels + c] = relu && value < T(0) ? T(0) : value;
                      });
}

void forward(Device& device, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
             const Conv2dEpilogue& epilogue, Tensor& y) {
  if (y.size() == 0) return;
  cuda::Context& context = cuda::context_of(device);
  if (is_product(context, x, weight, options)) {
    Tensor result = as_matrix(y);
    kernel::matmul(device, as_matrix(x), weight_matrix(weight), Transpose{.b = true}, 1.0, 0.0,
                   result);
    visit_float(y.dtype(), [&]<class T>() { finish<T>(context, epilogue, y); });
    return;
  }
  const Tensor bias = converted(device, epilogue.bias, x.dtype());  // as cuDNN wants it
  ConvolutionKey key = key_of(ConvolutionKind::forward, x, weight, y, options);
  key.bias = bias.defined();
  key.residual = epilogue.residual.defined();
  key.relu = epilogue.relu;
  key.alignment = alignment_of({&x, &weight, &y, &bias, &epilogue.residual});
  run(context, key,
      {x.raw_bytes(), weight.raw_bytes(), y.raw_bytes(), key.bias ? bias.raw_bytes() : nullptr,
       key.residual ? epilogue.residual.raw_bytes() : nullptr});
}

void backward_data(Device& device, const Tensor& dy, const Tensor& weight,
                   const Conv2dOptions& options, Tensor& dx) {
  if (dx.size() == 0) return;
  cuda::Context& context = cuda::context_of(device);
  if (is_product(context, dx, weight, options)) {
    Tensor result = as_matrix(dx);
    kernel::matmul(device, as_matrix(dy), weight_matrix(weight), Transpose{}, 1.0, 0.0, result);
    return;
  }
  run(context, key_of(ConvolutionKind::backward_data, dx, weight, dy, options),
      {dx.raw_bytes(), weight.raw_bytes(), dy.raw_bytes(), nullptr, nullptr});
}

void backward_weight(Device& device, const Tensor& x, const Tensor& dy,
                     const Conv2dOptions& options, Tensor& dweight, Tensor& dbias) {
  if (dbias.defined()) kernel::sum_rows(device, dy, dbias);
  if (dweight.size() == 0) return;
  cuda::Context& context = cuda::context_of(device);
  if (x.size() == 0) {
    device.clear(dweight);
  } else if (is_product(context, x, dweight, options)) {
    Tensor result = weight_matrix(dweight);
    kernel::matmul(device, as_matrix(dy), as_matrix(x), Transpose{.a = true}, 1.0, 0.0, result);
  } else {
    // cuDNN gives the gradient in the type of the maps: sums in f32, rounded once.
    const bool narrow = x.dtype() != dweight.dtype();
    const Tensor found = narrow ? device.empty(dweight.shape(), x.dtype()) : dweight;
    run(context, key_of(ConvolutionKind::backward_weight, x, found, dy, options),
        {x.raw_bytes(), found.raw_bytes(), dy.raw_bytes(), nullptr, nullptr});
    if (narrow) convert(device, found, dweight);
  }
}

const bool conv2d_added = kernel::conv2d_fwd.add(Backend::cuda, forward) &&
                          kernel::conv2d_bwd_data.add(Backend::cuda, backward_data) &&
                          kernel::conv2d_bwd_weight.add(Backend::cuda, backward_weight) &&
                          kernel::conv2d_fwd.takes_bf16(Backend::cuda) &&
                          kernel::conv2d_bwd_data.takes_bf16(Backend::cuda) &&
                          kernel::conv2d_bwd_weight.takes_bf16(Backend::cuda);

}  // namespace
}  // namespace dml
