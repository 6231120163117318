#include "dml/optimizers/adam.hpp"

#include "dml/optimizers/rule_optimizer.hpp"

namespace dml {
namespace {

const bool adam_added = add_rule<AdamRule<false>>() && add_rule<AdamRule<true>>();

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  static constexpr std::tuple fields{
      field("lr", &AdamOptions::lr, "learning rate", {0, 1e6}),
      field("beta1", &AdamOptions::beta1, "memory of the mean of gradients", {0, 0.999999}),
      field("beta2", &AdamOptions::beta2, "memory of the mean of squares", {0, 0.9999999}),
      field("eps", &AdamOptions::eps, "added to the root of the corrected mean of squares",
            {0, 1e6}),
      field("weight_decay", &AdamOptions::weight_decay, "weight decay", {0, 1e6}),
  };
};

struct AdamWOptions : AdamOptions {
  AdamWOptions() { weight_decay = 1e-2; }
};

std::vector<std::string> moment_names(bool amsgrad) {
  std::vector<std::string> names{"exp_avg", "exp_avg_sq"};
  if (amsgrad) names.emplace_back("max_exp_avg_sq");
  return names;
}

/// The four members of the family; as PyTorch has them.
template <bool is_decoupled, bool amsgrad>
class AdamFamily final
    : public RuleOptimizer<AdamFamily<is_decoupled, amsgrad>, AdamRule<amsgrad>, AdamOptions> {
 public:
  using Options = std::conditional_t<is_decoupled, AdamWOptions, AdamOptions>;
  using Rule = AdamRule<amsgrad>;

  AdamFamily(const Options& options, const Optimizer::Setup& setup)
      : RuleOptimizer<AdamFamily, Rule, AdamOptions>(options, setup, moment_names(amsgrad)) {}

  Rule rule(const AdamOptions&) const { return {.decoupled = is_decoupled}; }

  void scalars(const AdamOptions& o, double lr, double decay, std::int64_t step,
               double* out) const {
    const double t = static_cast<double>(step);
    out[Rule::decay] = is_decoupled ? decay * lr : decay;
    out[Rule::beta1] = o.beta1;
    out[Rule::rest1] = 1 - o.beta1;
    out[Rule::beta2] = o.beta2;
    out[Rule::rest2] = 1 - o.beta2;
    out[Rule::size] = lr / (1 - std::pow(o.beta1, t));
    out[Rule::root] = std::sqrt(1 - std::pow(o.beta2, t));
    out[Rule::eps] = o.eps;
  }
};

const Register<Optimizer, AdamFamily<false, false>> adam{{
    .name = "adam",
    .summary = "Adam; weight decay is added to the gradient",
    .paper = "Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015",
}};
const Register<Optimizer, AdamFamily<true, false>> adamw{{
    .name = "adamw",
    .summary = "Adam with decoupled weight decay",
    .paper = "Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019",
}};
const Register<Optimizer, AdamFamily<false, true>> adam_amsgrad{{
    .name = "adam_amsgrad",
    .summary = "Adam that divides by the largest mean of squares so far",
    .paper = "Reddi et al., On the Convergence of Adam and Beyond, ICLR 2018",
}};
const Register<Optimizer, AdamFamily<true, true>> adamw_amsgrad{{
    .name = "adamw_amsgrad",
    .summary = "AdamW that divides by the largest mean of squares so far",
    .paper = "Reddi et al., On the Convergence of Adam and Beyond, ICLR 2018",
}};

}  // namespace
}  // namespace dml
