#include <array>

#include "weights_convert/rule.hpp"

namespace dml::weights {
namespace {

/// Batch-norm tensors of shape [1, c], as the BN-Inception file of pretrained-models.pytorch has
/// them, become [c]. Where the net is known, only to the shape that it wants.
class Cadene : public Rule {
 public:
  using Options = NoOptions;
  Cadene(const Options&, const Setup&) {}
  int order() const override { return 30; }
  void apply(Draft& draft) const override {
    for (std::size_t i = 0; i < draft.tensors().size(); ++i) {
      const auto& [name, tensor] = draft.tensors()[i];
      if (tensor.rank() != 2 || tensor.dim(0) != 1) continue;
      const Shape squeezed{tensor.dim(1)};
      const WantedTensor* wanted = draft.wanted(name);
      if (wanted != nullptr ? wanted->shape == squeezed : belongs_to_norm(draft, name))
        draft.reshape(i, squeezed);
    }
  }

 private:
  /// Whether all four tensors of a batch norm are there and have the shape [1, c].
  static bool belongs_to_norm(const Draft& draft, const std::string& name) {
    const std::size_t dot = name.rfind('.');
    const std::string layer = name.substr(0, dot == std::string::npos ? 0 : dot);
    const Tensor* own = draft.find(name);
    for (const char* part : {"weight", "bias", "running_mean", "running_var"}) {
      const Tensor* other = draft.find(layer + "." + part);
      if (other == nullptr || other->size() != own->size()) return false;
    }
    return true;
  }
};

const Register<Rule, Cadene> cadene_rule{{
    .name = "cadene",
    .summary = "pretrained-models.pytorch: last_linear for the classifier, batch norm as [1, c]",
    .details = "The classifier's name is matched for every source.",
    .aliases = {"pretrained_models"},
}};

}  // namespace
}  // namespace dml::weights
