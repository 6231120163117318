#include "dml/lm_metric/flow_layers.hpp"

#include <cmath>
#include <vector>

#include "dml/lm_metric/act_norm.hpp"
#include "ops/arithmetic.hpp"
#include "ops/batch_norm.hpp"
#include "ops/conv2d.hpp"
#include "ops/exp.hpp"
#include "ops/inverse.hpp"
#include "ops/matmul.hpp"
#include "ops/permute.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/slice.hpp"
#include "ops/sum.hpp"
#include "ops/tanh.hpp"

namespace dml::lm {
namespace {

/// A value per channel for every pixel of x.   [c] in any shape -> the shape of x
Var per_channel(const Var& values, const Var& x) {
  return broadcast_to(reshape(values, {1, 1, 1, x.dim(3)}), x.shape());
}

/// Adds one number to the log-determinant of every sample.   number: []
Var add_to_all(const Var& log_det, const Var& number) {
  return log_det + broadcast_to(reshape(number, {1}), log_det.shape());
}

double pixels(const Var& x) { return static_cast<double>(x.dim(1) * x.dim(2)); }

/// The orthogonal factor of a matrix of normal numbers, by Gram and Schmidt on its basis.
Init rotation() {
  return [](Tensor& tensor, Random random) {
    const std::int64_t n = tensor.dim(0);
    const auto size = static_cast<std::size_t>(n);
    std::vector<std::vector<double>> basis(size, std::vector<double>(size));
    RandomSequence normal(random);
    for (std::size_t i = 0; i < size; ++i) {
      for (double& value : basis[i]) value = normal.normal();
      for (int pass = 0; pass < 2; ++pass)  // the second removes what the first left by rounding
        for (std::size_t j = 0; j < i; ++j) {
          double along = 0;
          for (std::size_t k = 0; k < size; ++k) along += basis[i][k] * basis[j][k];
          for (std::size_t k = 0; k < size; ++k) basis[i][k] -= along * basis[j][k];
        }
      double square = 0;
      for (const double value : basis[i]) square += value * value;
      for (double& value : basis[i]) value /= std::sqrt(square);
    }
    visit_float(tensor.dtype(), [&]<class T>() {
      for (std::size_t i = 0; i < size; ++i)
        for (std::size_t k = 0; k < size; ++k)
          tensor.raw<T>()[i * size + k] = static_cast<T>(basis[i][k]);
    });
  };
}

Parameter& conv_weight(const Scope& scope, const std::string& name, std::int64_t in,
                       std::int64_t out, int kernel, const Init& init) {
  return (scope / name)
      .parameter("weight", {out, kernel, kernel, in}, init, FileLayout::conv_weight);
}

Var convolve(const Var& x, Parameter& weight, const Var& bias = {}) {
  const int pad = static_cast<int>(weight.value.dim(1)) / 2;
  return conv2d(x, x.leaf(weight), bias, {.pad = {pad, pad}});
}

}  // namespace

Var squeeze(const Var& x) {
  DML_CHECK(x.rank() == 4 && x.dim(1) % 2 == 0 && x.dim(2) % 2 == 0,
            "squeeze: " + to_string(x.shape()) + "; [n, h, w, c] with even h and w is needed");
  const std::int64_t n = x.dim(0), h = x.dim(1) / 2, w = x.dim(2) / 2, c = x.dim(3);
  return reshape(permute(reshape(x, {n, h, 2, w, 2, c}), {0, 1, 3, 5, 2, 4}), {n, h, w, 4 * c});
}

Var unsqueeze(const Var& x) {
  DML_CHECK(x.rank() == 4 && x.dim(3) % 4 == 0,
            "unsqueeze: " + to_string(x.shape()) + "; [n, h, w, 4 c] is needed");
  const std::int64_t n = x.dim(0), h = x.dim(1), w = x.dim(2), c = x.dim(3) / 4;
  return reshape(permute(reshape(x, {n, h, w, c, 2, 2}), {0, 1, 4, 2, 5, 3}), {n, 2 * h, 2 * w, c});
}

ActNorm::ActNorm(const Scope& scope, std::int64_t channels)
    : bias_(scope.parameter("bias", {1, channels, 1, 1}, init::zeros())),
      logs_(scope.parameter("logs", {1, channels, 1, 1}, init::zeros())),
      done_(scope.buffer("is_initialized", {1}, init::zeros())) {}

Flowing ActNorm::forward(const Flowing& x, bool live) const {
  if (live) {
    Device& device = x.map.device();
    const std::int64_t c = x.map.dim(3);
    kernel::act_norm_start(device,
                           device.dense(x.map.value()).reshape({x.map.value().size() / c, c}),
                           bias_.value, logs_.value, done_.value);
  }
  const Var logs = x.map.leaf(logs_);
  Flowing y{(x.map + per_channel(x.map.leaf(bias_), x.map)) * exp(per_channel(logs, x.map))};
  if (x.log_det.defined()) y.log_det = add_to_all(x.log_det, pixels(x.map) * sum(logs));
  return y;
}

Flowing ActNorm::inverse(const Flowing& y) const {
  const Var logs = y.map.leaf(logs_);
  Flowing x{y.map * exp(-per_channel(logs, y.map)) - per_channel(y.map.leaf(bias_), y.map)};
  if (y.log_det.defined()) x.log_det = add_to_all(y.log_det, -pixels(y.map) * sum(logs));
  return x;
}

InvertibleConv::InvertibleConv(const Scope& scope, std::int64_t channels)
    : weight_(scope.parameter("weight", {channels, channels}, rotation())) {}

Flowing InvertibleConv::forward(const Flowing& x) const {
  const Var weight = x.map.leaf(weight_);
  Flowing y{linear(x.map, weight, {})};
  if (x.log_det.defined()) y.log_det = add_to_all(x.log_det, pixels(x.map) * log_abs_det(weight));
  return y;
}

Flowing InvertibleConv::inverse(const Flowing& y) const {
  const Var weight = y.map.leaf(weight_);
  Flowing x{linear(y.map, dml::inverse(weight), {})};
  if (y.log_det.defined()) x.log_det = add_to_all(y.log_det, -pixels(y.map) * log_abs_det(weight));
  return x;
}

FlowNorm::FlowNorm(const Scope& scope, std::int64_t channels)
    : weight_(scope.parameter("weight", {channels}, init::constant(1))),
      bias_(scope.parameter("bias", {channels}, init::zeros())),
      mean_(scope.buffer("running_mean", {channels}, init::zeros())),
      variance_(scope.buffer("running_var", {channels}, init::constant(1))),
      batches_(scope.counter("num_batches_tracked")) {}

Var FlowNorm::operator()(const Var& x, bool live, bool relu) const {
  RunningStatistics running{mean_.value, variance_.value, batches_.value};
  return batch_norm(x, x.leaf(weight_), x.leaf(bias_), running,
                    {.eps = 1e-5, .momentum = 0.1, .batch_statistics = live, .relu = relu});
}

CouplingNet::CouplingNet(const Scope& scope, std::int64_t keep, std::int64_t condition,
                         std::int64_t middle, std::int64_t out)
    : in_norm_(scope / "in_norm", keep),
      in_conv_(conv_weight(scope, "in_conv", keep, middle, 3, init::normal(0.05))),
      in_condition_(conv_weight(scope, "in_condconv", condition, middle, 3, init::normal(0.05))),
      mid_conv1_(conv_weight(scope, "mid_conv1", middle, middle, 3, init::normal(0.05))),
      mid_condition1_(
          conv_weight(scope, "mid_condconv1", condition, middle, 3, init::normal(0.05))),
      mid_norm_(scope / "mid_norm", middle),
      mid_conv2_(conv_weight(scope, "mid_conv2", middle, middle, 1, init::normal(0.05))),
      mid_condition2_(
          conv_weight(scope, "mid_condconv2", condition, middle, 1, init::normal(0.05))),
      out_norm_(scope / "out_norm", middle),
      out_conv_(conv_weight(scope, "out_conv", middle, out, 3, init::zeros())),
      out_bias_((scope / "out_conv").parameter("bias", {out}, init::zeros())) {}

Var CouplingNet::operator()(const Var& kept, const Var& condition, bool live) const {
  Var h =
      relu(convolve(in_norm_(kept, live, false), in_conv_) + convolve(condition, in_condition_));
  h = mid_norm_(convolve(h, mid_conv1_) + convolve(condition, mid_condition1_), live, true);
  h = out_norm_(convolve(h, mid_conv2_) + convolve(condition, mid_condition2_), live, true);
  return convolve(h, out_conv_, h.leaf(out_bias_));
}

Coupling::Coupling(const Scope& scope, std::int64_t channels, std::int64_t condition,
                   std::int64_t middle)
    : half_(channels / 2),
      scale_(scope.parameter("scale", {channels / 2, 1, 1}, init::constant(1))),
      net_(scope / "nn", channels - channels / 2, condition, middle, channels) {}

Coupling::Parts Coupling::parts(const Var& x, const Var& condition, bool live) const {
  const std::int64_t c = x.dim(3);
  Parts parts{slice(x, 3, 0, half_), slice(x, 3, half_, c), {}, {}};
  const Var both = net_(parts.keep, condition, live);
  const Var even = slice(both, 3, 0, c, 2);
  parts.log_scale = per_channel(x.leaf(scale_), even) * tanh(even);
  parts.shift = slice(both, 3, 1, c, 2);
  return parts;
}

Flowing Coupling::forward(const Flowing& x, const Var& condition, bool live) const {
  const auto [change, keep, log_scale, shift] = parts(x.map, condition, live);
  Flowing y{concat({(change + shift) * exp(log_scale), keep}, 3)};
  if (x.log_det.defined()) y.log_det = x.log_det + sum(reshape(log_scale, {x.map.dim(0), -1}), 1);
  return y;
}

Flowing Coupling::inverse(const Flowing& y, const Var& condition, bool live) const {
  const auto [change, keep, log_scale, shift] = parts(y.map, condition, live);
  Flowing x{concat({change * exp(-log_scale) - shift, keep}, 3)};
  if (y.log_det.defined()) x.log_det = y.log_det - sum(reshape(log_scale, {y.map.dim(0), -1}), 1);
  return x;
}

}  // namespace dml::lm
