#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/parameter.hpp"
#include "engine/tape.hpp"
#include "nets/norm_state.hpp"
#include "ops/batch_norm.hpp"
#include "ops/conv2d.hpp"
#include "ops/fold_norm.hpp"

namespace dml {

/// How the weights of a convolution begin (nets differ): normal with deviation sqrt(2 / (out k k)),
/// the same of the inputs, or uniform in +-1/sqrt(in k k), biases included.
enum class ConvInit : std::uint8_t { fan_out, fan_in, uniform };

/// Where the layers of a net are made, and what they all share.
struct LayerScope {
  Scope scope;
  std::shared_ptr<NormState> norms;
  ConvInit init = ConvInit::fan_out;
  bool conv_bias = false;
  double momentum = 0.1;  ///< of batch norm

  LayerScope operator/(const std::string& name) const {
    return {scope / name, norms, init, conv_bias, momentum};
  }
  LayerScope operator/(int index) const { return *this / std::to_string(index); }
};

/// A square window.
struct Window {
  int kernel = 1;
  int stride = 1;
  int pad = 0;
};

/// y = x w^T + b; parameters `weight` [out, in] and `bias` [out].
class Linear {
 public:
  Linear(const Scope& scope, std::int64_t in, std::int64_t out, const Init& weight,
         const Init& bias);
  /// [n, in] -> [n, out]
  Var operator()(const Var& x) const;

 private:
  Parameter& weight_;
  Parameter& bias_;
};

/// A convolution; parameters `weight` ([out, in, k, k] in files) and, if asked for, `bias`.
class Conv2d {
 public:
  Conv2d(const LayerScope& scope, std::int64_t in, std::int64_t out, Window window);
  /// [n, h, w, in] -> [n, h', w', out]
  Var operator()(const Var& x) const;

  const Conv2dOptions& options() const { return options_; }
  const Tensor& weight() const { return weight_.value; }
  /// Undefined where there is none.
  Tensor bias() const { return bias_ == nullptr ? Tensor{} : bias_->value; }

 private:
  Conv2dOptions options_;
  Parameter& weight_;
  Parameter* bias_;
};

/// Batch normalisation over all but the last dimension; parameters `weight`, `bias`, buffers
/// `running_mean`, `running_var`, `num_batches_tracked`. Eps 1e-5.
class BatchNorm {
 public:
  BatchNorm(const LayerScope& scope, std::int64_t channels);

  /// What happens beside the normalisation.
  struct With {
    bool relu = false;
    Var add{};      ///< a shortcut, added before the ReLU
    Tensor into{};  ///< where the result goes
  };
  Var operator()(const Var& x, const With& with) const;

  /// A convolution with this normalisation (by the running statistics) in it.
  FoldedNorm fold(Device& device, const Tensor& weight, const Tensor& bias) const;

  const NormState& state() const { return *state_; }
  Parameter& weight() const { return weight_; }
  Parameter& bias() const { return bias_; }

 private:
  std::shared_ptr<NormState> state_;
  double momentum_;
  Parameter& weight_;
  Parameter& bias_;
  Parameter& mean_;
  Parameter& variance_;
  Parameter& batches_;
};

/// Convolution, batch norm and ReLU, the unit of which nets are built. On a tape that records they
/// are two ops (convolution; the rest); at inference one, with the normalisation folded in.
class ConvNormRelu {
 public:
  /// Parameters of the convolution below scope / conv, those of batch norm below scope / norm.
  ConvNormRelu(const LayerScope& scope, const std::string& conv, const std::string& norm,
               std::int64_t in, std::int64_t out, Window window);

  /// relu(norm(conv(x))), into a given place if there is one.
  Var operator()(const Var& x, const Tensor& into = {}) const;
  /// norm(conv(x))
  Var linear(const Var& x) const;
  /// relu(norm(conv(x)) + shortcut)
  Var add_relu(const Var& x, const Var& shortcut) const;

  /// The two steps of operator() apart, for who wants to see what lies between.
  Var conv(const Var& x) const { return conv_(x); }
  Var norm_relu(const Var& y) const { return norm_(y, {.relu = true, .add = {}, .into = {}}); }

  /// How many channels the result has.
  std::int64_t out() const { return conv_.weight().dim(0); }
  /// The shape of the result for a map x of given height and width, whatever its channels.
  Shape shape(Shape x) const;

 private:
  Var run(const Var& x, const BatchNorm::With& with) const;
  Var fused(const Var& x, const BatchNorm::With& with) const;

  Conv2d conv_;
  BatchNorm norm_;
  mutable FoldedNorm folded_;         // valid while ticket_ is the one of norm_.state()
  mutable ArrangedWeights arranged_;  // of folded_
  mutable std::uint64_t ticket_ = 0;
};

}  // namespace dml
