#include "dml/optimizers/rmsprop.hpp"

#include "dml/optimizers/rule_optimizer.hpp"

namespace dml {
namespace {

const bool rmsprop_added = add_rule<RmsPropRule>();

struct RmsPropOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double momentum = 0;
  bool centered = false;
  double eps = 1e-8;
  double weight_decay = 0;
  static constexpr std::tuple fields{
      field("lr", &RmsPropOptions::lr, "learning rate", {0, 1e6}),
      field("alpha", &RmsPropOptions::alpha, "memory of the mean of squares", {0, 1}),
      field("momentum", &RmsPropOptions::momentum, "memory of the direction; 0: none", {0, 1}),
      field("centered", &RmsPropOptions::centered, "divide by the deviation of the gradients"),
      field("eps", &RmsPropOptions::eps, "added to the root", {0, 1e6}),
      field("weight_decay", &RmsPropOptions::weight_decay, "weight decay, added to the gradient",
            {0, 1e6}),
  };
};

/// As PyTorch has it.
class RmsProp final : public RuleOptimizer<RmsProp, RmsPropRule, RmsPropOptions> {
 public:
  using Options = RmsPropOptions;

  RmsProp(const Options& options, const Setup& setup)
      : RuleOptimizer(options, setup, {"square_avg", "momentum_buffer", "grad_avg"}) {}

  RmsPropRule rule(const Options& o) const { return {.centered = o.centered}; }
  void scalars(const Options& o, double lr, double decay, std::int64_t, double* out) const {
    out[RmsPropRule::decay] = decay;
    out[RmsPropRule::alpha] = o.alpha;
    out[RmsPropRule::rest] = 1 - o.alpha;
    out[RmsPropRule::momentum] = o.momentum;
    out[RmsPropRule::rate] = lr;
    out[RmsPropRule::eps] = o.eps;
  }
};

const Register<Optimizer, RmsProp> rmsprop_optimizer{{
    .name = "rmsprop",
    .summary = "divides gradients by the root of their mean square",
    .paper = "Tieleman and Hinton, Lecture 6.5, Coursera 2012",
}};

}  // namespace
}  // namespace dml
