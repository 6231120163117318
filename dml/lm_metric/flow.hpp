#pragma once
#include <memory>
#include <vector>

#include "dml/lm_metric/flow_layers.hpp"

namespace dml::lm {

/// Sizes of a conditional flow.
struct FlowOptions {
  std::int64_t levels = 2;
  std::int64_t steps = 8;       ///< of each level
  std::int64_t channels = 128;  ///< of the coupling networks
};

/// One step: activation normalisation, invertible convolution, coupling.
class FlowStep {
 public:
  FlowStep(const Scope& scope, std::int64_t channels, std::int64_t condition, std::int64_t middle);
  Flowing forward(const Flowing& x, const Var& condition, bool live) const;
  Flowing inverse(const Flowing& y, const Var& condition, bool live) const;

 private:
  ActNorm norm_;
  InvertibleConv conv_;
  Coupling coupling_;
};

/// Steps on one resolution, then on half of the channels of the next (parameters below `next`).
class FlowLevel {
 public:
  FlowLevel(const Scope& scope, std::int64_t channels, std::int64_t condition,
            const FlowOptions& options, std::int64_t levels);
  Flowing forward(const Flowing& x, const Var& condition, bool live) const;
  Flowing inverse(const Flowing& y, const Var& condition, bool live) const;

 private:
  std::vector<FlowStep> steps_;
  std::unique_ptr<FlowLevel> next_;
};

/// A conditional normalising flow p(c | e) on vectors: Glow (Kingma and Dhariwal, NeurIPS 2018) on
/// a grid of 16 rows, with convolutions of the condition in the coupling networks. The contextual
/// memory of LM-Metric (Yan et al., TechRxiv 2023). Parameters below `flows`.
class ConditionalFlow {
 public:
  /// @param dim  length of the vectors. @throws UsageError unless it is a multiple of
  /// 16 * 2^levels and there are 1 to 4 levels.
  ConditionalFlow(const Scope& scope, std::int64_t dim, const FlowOptions& options);

  /// What the forward direction gives.
  struct Latent {
    Var latent;   ///< [n, dim]
    Var log_det;  ///< [n], with that of the pre-processing
  };
  /// c in [0, 1] with uniform noise is stretched to the real line (bounds 0.95) and passed through
  /// the flow.   c, e, noise: [n, dim]
  /// @throws ShapeError for other shapes; for c outside [0, 1] where it lies on the host.
  Latent forward(const Var& c, const Var& e, const Var& noise, bool live) const;
  /// Mean negative log-likelihood of c given e, in nats, of the 256 levels of c:
  /// -mean(sum(-(z^2 + log 2 pi) / 2) - dim log 256 + log_det).   []
  Var negative_log_likelihood(const Latent& found) const;
  /// From latent to the stretched values: neither bounds nor noise are undone. The log-determinant
  /// only when asked for.   [n, dim]
  Flowing inverse(const Var& latent, const Var& e, bool live, bool log_det = false) const;

 private:
  std::int64_t dim_;
  FlowLevel flows_;
};

}  // namespace dml::lm
