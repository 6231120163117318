#pragma once
#include <cstdint>

#include "engine/parameter.hpp"
#include "engine/tape.hpp"

namespace dml::lm {

/// What passes through a flow: a map [n, h, w, c] and, where it is asked for, the logarithm of the
/// absolute determinant so far, [n]. An undefined log_det is not computed.
struct Flowing {
  Var map;
  Var log_det{};
};

/// Every 2 x 2 square of pixels becomes one pixel: new channel 4 c + 2 (row parity) + (column
/// parity).   [n, h, w, c] -> [n, h/2, w/2, 4c]   @throws ShapeError for odd sizes.
Var squeeze(const Var& x);
/// The inverse of squeeze.
Var unsqueeze(const Var& x);

/// Activation normalisation (Kingma and Dhariwal, Glow, NeurIPS 2018): y = (x + bias) exp(logs) per
/// channel. Parameters `bias`, `logs` [1, c, 1, 1], buffer `is_initialized` [1].
class ActNorm {
 public:
  ActNorm(const Scope& scope, std::int64_t channels);
  /// @param live  in training mode: a layer that has seen nothing starts from this batch.
  Flowing forward(const Flowing& x, bool live) const;
  Flowing inverse(const Flowing& y) const;

 private:
  Parameter& bias_;
  Parameter& logs_;
  Parameter& done_;
};

/// Invertible 1 x 1 convolution: y_o = sum_i W[o, i] x_i at every pixel. Parameter `weight` [c, c],
/// at first a rotation.
class InvertibleConv {
 public:
  InvertibleConv(const Scope& scope, std::int64_t channels);
  Flowing forward(const Flowing& x) const;
  Flowing inverse(const Flowing& y) const;

 private:
  Parameter& weight_;
};

/// Batch norm of the flow: eps 1e-5, momentum 0.1.
class FlowNorm {
 public:
  FlowNorm(const Scope& scope, std::int64_t channels);
  Var operator()(const Var& x, bool live, bool relu) const;

 private:
  Parameter& weight_;
  Parameter& bias_;
  Parameter& mean_;
  Parameter& variance_;
  Parameter& batches_;
};

/// The network of a coupling: scale and shift from the kept channels and the condition.
class CouplingNet {
 public:
  /// @param keep, condition, middle  channels   @param out  of the result
  CouplingNet(const Scope& scope, std::int64_t keep, std::int64_t condition, std::int64_t middle,
              std::int64_t out);
  /// @param live  batch norm uses the statistics of the batch and moves the running ones.
  Var operator()(const Var& kept, const Var& condition, bool live) const;

 private:
  FlowNorm in_norm_;
  Parameter& in_conv_;
  Parameter& in_condition_;
  Parameter& mid_conv1_;
  Parameter& mid_condition1_;
  FlowNorm mid_norm_;
  Parameter& mid_conv2_;
  Parameter& mid_condition2_;
  FlowNorm out_norm_;
  Parameter& out_conv_;
  Parameter& out_bias_;
};

/// Affine coupling of the first half of the channels by the second half and a condition:
/// a <- (a + t) exp(s), s = scale tanh(even channels of the network), t = its odd channels.
/// Parameters `scale` [c / 2, 1, 1] and the network below `nn`.
class Coupling {
 public:
  Coupling(const Scope& scope, std::int64_t channels, std::int64_t condition, std::int64_t middle);
  Flowing forward(const Flowing& x, const Var& condition, bool live) const;
  Flowing inverse(const Flowing& y, const Var& condition, bool live) const;

 private:
  struct Parts {
    Var change, keep, log_scale, shift;
  };
  Parts parts(const Var& x, const Var& condition, bool live) const;

  std::int64_t half_;
  Parameter& scale_;
  CouplingNet net_;
};

}  // namespace dml::lm
