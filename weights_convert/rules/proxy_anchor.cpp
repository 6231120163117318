#include "weights_convert/rule.hpp"

namespace dml::weights {
namespace {

/// `model.` in front of the backbone's names and of `embedding`.
class ProxyAnchor : public Rule {
 public:
  using Options = NoOptions;
  ProxyAnchor(const Options&, const Setup&) {}
  int order() const override { return 0; }
  void apply(Draft& draft) const override { draft.strip("model."); }
};

const Register<Rule, ProxyAnchor> proxy_anchor_rule{{
    .name = "proxy_anchor",
    .summary = "checkpoints of Proxy-Anchor-CVPR2020 and RCDML_pytorch: names begin with model.",
    .paper = "Kim et al., Proxy Anchor Loss for Deep Metric Learning, CVPR 2020",
    .aliases = {"rcdml"},
}};

}  // namespace
}  // namespace dml::weights
