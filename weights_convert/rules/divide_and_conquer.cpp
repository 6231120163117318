#include "weights_convert/rule.hpp"

namespace dml::weights {
namespace {

constexpr std::pair<std::string_view, std::string_view> parts[] = {
    {"features.0.", "conv1."},  {"features.1.", "bn1."},    {"features.4.", "layer1."},
    {"features.5.", "layer2."}, {"features.6.", "layer3."}, {"features.7.", "layer4."}};

/// torchvision's ResNet names twice: as usual, and numbered below `features.`
class DivideAndConquer : public Rule {
 public:
  using Options = NoOptions;
  DivideAndConquer(const Options&, const Setup&) {}
  int order() const override { return 10; }
  void apply(Draft& draft) const override {
    if (draft.find("conv1.weight") == nullptr) return;  // some other net with numbered features
    for (std::size_t i = 0; i < draft.tensors().size(); ++i) {
      const std::string name = draft.tensors()[i].first;
      if (draft.wanted(name) != nullptr) continue;
      for (const auto& [numbered, own] : parts)
        if (name.rfind(numbered, 0) == 0) {
          draft.merge(i, std::string(own) + name.substr(numbered.size()));
          break;
        }
    }
  }
};

const Register<Rule, DivideAndConquer> divide_and_conquer_rule{{
    .name = "divide_and_conquer",
    .summary =
        "checkpoints of metric-learning-divide-and-conquer: a second copy of the layers below "
        "features",
    .paper = "Sanakoyeu et al., Divide and Conquer the Embedding Space for Metric Learning, "
             "CVPR 2019",
}};

}  // namespace
}  // namespace dml::weights
