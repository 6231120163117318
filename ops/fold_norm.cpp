#include "ops/fold_norm.hpp"

#include <cmath>

#include "engine/cpu/parallel.hpp"

namespace dml {
namespace {

template <class T> struct Channels {
  const T *weight, *bias, *gamma, *beta, *mean, *variance;
  T *out_weight, *out_bias;
  std::int64_t row;
  double eps;

  void fold(std::int64_t first, std::int64_t last) const {
    for (std::int64_t k = first; k < last; ++k) {
      const double scale =
          static_cast<double>(gamma[k]) / std::sqrt(static_cast<double>(variance[k]) + eps);
      const double shift =
          (bias == nullptr ? 0.0 : static_cast<double>(bias[k])) - static_cast<double>(mean[k]);
      out_bias[k] = static_cast<T>(static_cast<double>(beta[k]) + scale * shift);
      const T factor = static_cast<T>(scale);
      for (std::int64_t i = k * row; i < (k + 1) * row; ++i) out_weight[i] = factor * weight[i];
    }
  }
};

void run(int threads, const Tensor& weight, const Tensor& bias, const Tensor& gamma,
         const Tensor& beta, const Tensor& mean, const Tensor& variance, double eps,
         Tensor& out_weight, Tensor& out_bias) {
  visit_float(weight.dtype(), [&]<class T>() {
    const Channels<T> channels{weight.raw<T>(),
                               bias.defined() ? bias.raw<T>() : nullptr,
                               gamma.raw<T>(),
                               beta.raw<T>(),
                               mean.raw<T>(),
                               variance.raw<T>(),
                               out_weight.raw<T>(),
                               out_bias.raw<T>(),
                               weight.size() / weight.dim(0),
                               eps};
    const std::int64_t grain = 1 + (1 << 15) / (1 + channels.row);  // channels worth a thread
    cpu::parallel_for(threads, weight.dim(0), grain,
                      [&](std::int64_t first, std::int64_t last) { channels.fold(first, last); });
  });
}

void reference(Device&, const Tensor& weight, const Tensor& bias, const Tensor& gamma,
               const Tensor& beta, const Tensor& mean, const Tensor& variance, double eps,
               Tensor& out_weight, Tensor& out_bias) {
  run(1, weight, bias, gamma, beta, mean, variance, eps, out_weight, out_bias);
}

void threaded(Device& device, const Tensor& weight, const Tensor& bias, const Tensor& gamma,
              const Tensor& beta, const Tensor& mean, const Tensor& variance, double eps,
              Tensor& out_weight, Tensor& out_bias) {
  run(device.threads(), weight, bias, gamma, beta, mean, variance, eps, out_weight, out_bias);
}

const bool fold_norm_added = kernel::fold_norm.add(Backend::reference, reference) &&
                             kernel::fold_norm.add(Backend::cpu, threaded);

}  // namespace

FoldedNorm fold_norm(Device& device, const Tensor& weight, const Tensor& bias, const Tensor& gamma,
                     const Tensor& beta, const Tensor& mean, const Tensor& variance, double eps) {
  DML_CHECK(weight.rank() >= 1 && gamma.rank() == 1 && gamma.dim(0) == weight.dim(0),
            "fold_norm: weights " + to_string(weight.shape()) + " and a norm of " +
                to_string(gamma.shape()) + " channels");
  FoldedNorm folded{device.empty(weight.shape(), weight.dtype()),
                    device.empty(gamma.shape(), weight.dtype())};
  kernel::fold_norm(device, weight, bias, gamma, beta, mean, variance, eps, folded.weight,
                    folded.bias);
  return folded;
}

}  // namespace dml
