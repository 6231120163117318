#include "weights_convert/rule.hpp"

namespace dml::weights {
namespace {

/// BN-Inception with a reduced embedding holds the backbone under `inception.` and calls the
/// reduction `embed`.
class IntraBatch : public Rule {
 public:
  using Options = NoOptions;
  IntraBatch(const Options&, const Setup&) {}
  int order() const override { return 0; }
  void apply(Draft& draft) const override {
    draft.strip("inception.");
    for (std::size_t i = 0; i < draft.tensors().size(); ++i) {
      const std::string name = draft.tensors()[i].first;
      if (name.rfind("embed.", 0) == 0) draft.rename(i, "embedding." + name.substr(6));
    }
  }
};

const Register<Rule, IntraBatch> intra_batch_rule{{
    .name = "intra_batch",
    .summary = "checkpoints of intra_batch: inception.* and embed.* where the embedding is reduced",
    .paper = "Seidenschwarz et al., Learning Intra-Batch Connections for Deep Metric Learning, "
             "ICML 2021",
}};

}  // namespace
}  // namespace dml::weights
