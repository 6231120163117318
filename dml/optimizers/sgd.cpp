#include "dml/optimizers/sgd.hpp"

#include "dml/optimizers/rule_optimizer.hpp"

namespace dml {
namespace {

const bool sgd_added = add_rule<SgdRule>();

struct SgdOptions {
  double lr = 1e-2;
  double momentum = 0.9;
  double dampening = 0;
  bool nesterov = false;
  double weight_decay = 0;
  static constexpr std::tuple fields{
      field("lr", &SgdOptions::lr, "learning rate", {0, 1e6}),
      field("momentum", &SgdOptions::momentum, "memory of the direction; 0: none", {0, 1}),
      field("dampening", &SgdOptions::dampening,
            "how much less a gradient counts, except the first of a parameter", {0, 1}),
      field("nesterov", &SgdOptions::nesterov, "look ahead along the momentum"),
      field("weight_decay", &SgdOptions::weight_decay, "weight decay, added to the gradient",
            {0, 1e6}),
  };
};

/// As PyTorch has it. Without momentum the buffer holds the last gradient.
class Sgd final : public RuleOptimizer<Sgd, SgdRule, SgdOptions> {
 public:
  using Options = SgdOptions;

  Sgd(const Options& options, const Setup& setup)
      : RuleOptimizer(options, setup, {"momentum_buffer"}) {
    if (options.nesterov && (options.momentum <= 0 || options.dampening != 0))
      throw UsageError("nesterov needs a momentum above 0 and no dampening");
  }

  SgdRule rule(const Options& o) const { return {.nesterov = o.nesterov}; }
  void scalars(const Options& o, double lr, double decay, std::int64_t step, double* out) const {
    out[SgdRule::decay] = decay;
    out[SgdRule::momentum] = o.momentum;
    out[SgdRule::fresh] = step == 1 || o.momentum == 0 ? 1 : 1 - o.dampening;
    out[SgdRule::rate] = lr;
  }
};

const Register<Optimizer, Sgd> sgd_optimizer{{
    .name = "sgd",
    .summary = "stochastic gradient descent with momentum",
    .paper = "Sutskever et al., On the importance of initialization and momentum in deep learning, "
             "ICML 2013",
}};

}  // namespace
}  // namespace dml
