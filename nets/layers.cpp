#include "nets/layers.hpp"

#include <cmath>

#include "ops/matmul.hpp"

namespace dml {
namespace {

constexpr double eps = 1e-5;

Init conv_weight_init(ConvInit rule, std::int64_t in, std::int64_t out, int kernel) {
  const double area = static_cast<double>(kernel) * kernel;
  const double fan_in = static_cast<double>(in) * area, fan_out = static_cast<double>(out) * area;
  switch (rule) {
    case ConvInit::fan_out:
      return init::normal(std::sqrt(2 / fan_out));
    case ConvInit::fan_in:
      return init::normal(std::sqrt(2 / fan_in));
    case ConvInit::uniform:
      return init::uniform(1 / std::sqrt(fan_in));
  }
  return init::zeros();
}

Init conv_bias_init(ConvInit rule, std::int64_t in, int kernel) {
  if (rule != ConvInit::uniform) return init::zeros();
  return init::uniform(1 / std::sqrt(static_cast<double>(in) * kernel * kernel));
}

}  // namespace

Linear::Linear(const Scope& scope, std::int64_t in, std::int64_t out, const Init& weight,
               const Init& bias)
    : weight_(scope.parameter("weight", {out, in}, weight)),
      bias_(scope.parameter("bias", {out}, bias)) {}

Var Linear::operator()(const Var& x) const { return linear(x, x.leaf(weight_), x.leaf(bias_)); }

Conv2d::Conv2d(const LayerScope& scope, std::int64_t in, std::int64_t out, Window window)
    : options_{.stride = {window.stride, window.stride}, .pad = {window.pad, window.pad}},
      weight_(scope.scope.parameter("weight", {out, window.kernel, window.kernel, in},
                                    conv_weight_init(scope.init, in, out, window.kernel),
                                    FileLayout::conv_weight)),
      bias_(scope.conv_bias ? &scope.scope.parameter("bias", {out},
                                                     conv_bias_init(scope.init, in, window.kernel))
                            : nullptr) {}

Var Conv2d::operator()(const Var& x) const {
  return conv2d(x, x.leaf(weight_), bias_ == nullptr ? Var{} : x.leaf(*bias_), options_);
}

BatchNorm::BatchNorm(const LayerScope& scope, std::int64_t channels)
    : state_(scope.norms),
      momentum_(scope.momentum),
      weight_(scope.scope.parameter("weight", {channels}, init::constant(1))),
      bias_(scope.scope.parameter("bias", {channels}, init::zeros())),
      mean_(scope.scope.buffer("running_mean", {channels}, init::zeros())),
      variance_(scope.scope.buffer("running_var", {channels}, init::constant(1))),
      batches_(scope.scope.counter("num_batches_tracked")) {
  state_->add(weight_);
  state_->add(bias_);
}

Var BatchNorm::operator()(const Var& x, const With& with) const {
  const bool live = x.training() && state_->batch_statistics();
  if (live && state_->held() != 0)
    throw Error("batch norm would move its statistics while the weights of the net are held");
  RunningStatistics running{mean_.value, variance_.value, batches_.value};
  return batch_norm(
      x, x.leaf(weight_), x.leaf(bias_), running,
      {.eps = eps, .momentum = momentum_, .batch_statistics = live, .relu = with.relu}, with.add,
      with.into);
}

FoldedNorm BatchNorm::fold(Device& device, const Tensor& weight, const Tensor& bias) const {
  return fold_norm(device, weight, bias, weight_.value, bias_.value, mean_.value, variance_.value,
                   eps);
}

ConvNormRelu::ConvNormRelu(const LayerScope& scope, const std::string& conv,
                           const std::string& norm, std::int64_t in, std::int64_t out,
                           Window window)
    : conv_(scope / conv, in, out, window), norm_(scope / norm, out) {}

Var ConvNormRelu::operator()(const Var& x, const Tensor& into) const {
  return run(x, {.relu = true, .add = {}, .into = into});
}

Var ConvNormRelu::linear(const Var& x) const { return run(x, {}); }

Var ConvNormRelu::add_relu(const Var& x, const Var& shortcut) const {
  return run(x, {.relu = true, .add = shortcut, .into = {}});
}

Shape ConvNormRelu::shape(Shape x) const {
  x.back() = conv_.weight().dim(3);
  return conv2d_shape(x, conv_.weight().shape(), conv_.options());
}

Var ConvNormRelu::run(const Var& x, const BatchNorm::With& with) const {
  if (!x.training() && !x.tape().tracing()) return fused(x, with);
  return norm_(conv_(x), with);
}

Var ConvNormRelu::fused(const Var& x, const BatchNorm::With& with) const {
  Device& device = x.device();
  const std::uint64_t held = norm_.state().held();
  FoldedNorm folded = folded_;
  if (held == 0 || held != ticket_) folded = norm_.fold(device, conv_.weight(), conv_.bias());
  if (held != ticket_) {
    folded_ = held == 0 ? FoldedNorm{} : folded;
    arranged_ = {};
    ticket_ = held;
  }
  const Conv2dEpilogue epilogue{.bias = folded.bias,
                                .residual = with.add.value(),
                                .relu = with.relu,
                                .arranged = held == 0 ? nullptr : &arranged_};
  const Tensor y = conv2d_inference(device, x.value(), folded.weight, conv_.options(), epilogue);
  if (!with.into.defined()) return x.constant_like(y);
  Tensor place = with.into;
  device.copy(y, place);
  return x.constant_like(place);
}

}  // namespace dml
