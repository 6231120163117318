#include "dml/optimizers/radam.hpp"

#include "dml/optimizers/rule_optimizer.hpp"

namespace dml {
namespace {

const bool radam_added = add_rule<RAdamRule>();

struct RAdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  static constexpr std::tuple fields{
      field("lr", &RAdamOptions::lr, "learning rate", {0, 1e6}),
      field("beta1", &RAdamOptions::beta1, "memory of the mean of gradients", {0, 0.999999}),
      field("beta2", &RAdamOptions::beta2, "memory of the mean of squares", {0, 0.9999999}),
      field("eps", &RAdamOptions::eps, "added to the root of the uncorrected mean of squares",
            {0, 1e6}),
      field("weight_decay", &RAdamOptions::weight_decay, "weight decay", {0, 1e6}),
  };
};

/// What both forms share. While the variance of the adaptive rate cannot be bounded, the step is
/// one of plain momentum.
template <class Self> class RAdamBase : public RuleOptimizer<Self, RAdamRule, RAdamOptions> {
 public:
  using Options = RAdamOptions;
  RAdamBase(const Options& options, const Optimizer::Setup& setup)
      : RuleOptimizer<Self, RAdamRule, Options>(options, setup, {"exp_avg", "exp_avg_sq"}) {}

  RAdamRule rule(const Options&) const { return {.l2 = Self::l2}; }

  void scalars(const Options& o, double lr, double decay, std::int64_t step, double* out) const {
    const RAdamSize size = radam_size(o.beta1, o.beta2, step, Self::l2);
    out[RAdamRule::decay] = Self::l2 ? decay : decay * lr;
    out[RAdamRule::beta1] = o.beta1;
    out[RAdamRule::rest1] = 1 - o.beta1;
    out[RAdamRule::beta2] = o.beta2;
    out[RAdamRule::rest2] = 1 - o.beta2;
    out[RAdamRule::size] = lr * size.factor;
    out[RAdamRule::eps] = o.eps;
    out[RAdamRule::rectified] = size.rectified ? 1 : 0;
  }
};

/// As in the code of Group Loss: decay is lr * weight_decay * p, taken off first; rectified from
/// N >= 5; eps beside the uncorrected root.
class RAdam final : public RAdamBase<RAdam> {
 public:
  static constexpr bool l2 = false;
  using RAdamBase::RAdamBase;
};

/// As in PyTorch 1.13: decay is added to the gradient; rectified from N > 5.
class RAdamTorch final : public RAdamBase<RAdamTorch> {
 public:
  static constexpr bool l2 = true;
  using RAdamBase::RAdamBase;
};

const Register<Optimizer, RAdam> radam_optimizer{{
    .name = "radam",
    .summary = "Adam that waits with its adaptive rate until the variance can be trusted",
    .paper = "Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020",
    .details =
        "as published with the Group Loss: momentum steps of size lr / (1 - beta1^t) are taken "
        "(not skipped) while N < 5; weight decay is decoupled and uses the plain rate; every "
        "group has its own step size (the published code lends all groups the first one's)",
    .aliases = {"radam_grouploss", "radam_plain"},
}};
const Register<Optimizer, RAdamTorch> registered_torch{{
    .name = "radam_torch",
    .summary = "RAdam as PyTorch 1.13 has it: L2 weight decay, rectified from N > 5",
    .paper = "Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020",
}};

}  // namespace
}  // namespace dml
