#include "weights_convert/rule.hpp"

namespace dml::weights {
namespace {

/// `model.` in front, and the four layers a second time as `layer_blocks.0` to `layer_blocks.3`.
class Revisiting : public Rule {
 public:
  using Options = NoOptions;
  Revisiting(const Options&, const Setup&) {}
  int order() const override { return 10; }
  void apply(Draft& draft) const override {
    draft.strip("model.");
    constexpr std::string_view blocks = "layer_blocks.";
    for (std::size_t i = 0; i < draft.tensors().size(); ++i) {
      const std::string name = draft.tensors()[i].first;
      const std::size_t digit = blocks.size();
      if (name.rfind(blocks, 0) != 0 || name.size() < digit + 3 || name[digit + 1] != '.') continue;
      if (name[digit] < '0' || name[digit] > '3' || draft.wanted(name) != nullptr) continue;
      draft.merge(i, "layer" + std::to_string(name[digit] - '0' + 1) + name.substr(digit + 1));
    }
  }
};

const Register<Rule, Revisiting> revisiting_rule{{
    .name = "revisiting",
    .summary = "checkpoints of Revisiting_Deep_Metric_Learning and LM-metric: model.* and a second "
               "copy of the layers below layer_blocks",
    .paper = "Roth et al., Revisiting Training Strategies and Generalization Performance in Deep "
             "Metric Learning, ICML 2020",
    .aliases = {"lm_metric"},
}};

}  // namespace
}  // namespace dml::weights
