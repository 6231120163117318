#include "engine/cuda/launch.cuh"
#include "ops/fold_norm.hpp"

namespace dml {
namespace {

template <class T>
void fold_channels(cuda::Context& context, const Tensor& weight, const Tensor& bias,
                   const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                   const Tensor& variance, double eps, Tensor& out_weight, Tensor& out_bias) {
  const T *weights = weight.raw<T>(), *gammas = gamma.raw<T>(), *betas = beta.raw<T>();
  const T *means = mean.raw<T>(), *variances = variance.raw<T>();
  const T* biases = bias.defined() ? bias.raw<T>() : nullptr;
  T *to_weight = out_weight.raw<T>(), *to_bias = out_bias.raw<T>();
  const std::int64_t channels = weight.dim(0);
  if (channels == 0) return;
  const std::int64_t width = weight.size() / channels;
  cuda::for_each(context, channels, [=] __device__(std::int64_t k) {
    const double scale =
        static_cast<double>(gammas[k]) / std::sqrt(static_cast<double>(variances[k]) + eps);
    const double bias_k = biases == nullptr ? 0.0 : static_cast<double>(biases[k]);
    to_bias[k] = static_cast<T>(static_cast<double>(betas[k]) +
                                scale * (bias_k - static_cast<double>(means[k])));
  });
  cuda::for_each_cell(context, channels, width, [=] __device__(std::int64_t k, std::int64_t i) {
    const T scale = static_cast<T>(static_cast<double>(gammas[k]) /
                                   std::sqrt(static_cast<double>(variances[k]) + eps));
    to_weight[k * width + i] = scale * weights[k * width + i];
  });
}

void fold(Device& device, const Tensor& weight, const Tensor& bias, const Tensor& gamma,
          const Tensor& beta, const Tensor& mean, const Tensor& variance, double eps,
          Tensor& out_weight, Tensor& out_bias) {
  cuda::Context& context = cuda::context_of(device);
  visit_float(weight.dtype(), [&]<class T>() {
    fold_channels<T>(context, weight, bias, gamma, beta, mean, variance, eps, out_weight, out_bias);
  });
}

const bool fold_norm_added = kernel::fold_norm.add(Backend::cuda, fold);

}  // namespace
}  // namespace dml
