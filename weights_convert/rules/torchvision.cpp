#include <algorithm>
#include <optional>

#include "weights_convert/rule.hpp"

namespace dml::weights {
namespace {

/// Takes the last component from a dotted name and returns it.
std::string_view pop_component(std::string_view& name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view last = name.substr(dot == std::string_view::npos ? 0 : dot + 1);
  name = name.substr(0, dot == std::string_view::npos ? 0 : dot);
  return last;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> known) {
  return std::find(known.begin(), known.end(), word) != known.end();
}

/// `...denselayer12.norm.1.weight` without the dot before the digit; nothing for other names.
std::optional<std::string> without_dot(std::string_view name) {
  std::string_view rest = name;
  const std::string_view leaf = pop_component(rest), digit = pop_component(rest);
  const std::string_view front = rest;
  const std::string_view part = pop_component(rest), layer = pop_component(rest);
  constexpr std::string_view dense = "denselayer";
  const bool numbered = layer.size() > dense.size() && layer.substr(0, dense.size()) == dense &&
                        std::all_of(layer.begin() + dense.size(), layer.end(),
                                    [](char c) { return c >= '0' && c <= '9'; });
  if (!numbered || !is_one_of(part, {"norm", "relu", "conv"}) || !is_one_of(digit, {"1", "2"}) ||
      !is_one_of(leaf, {"weight", "bias", "running_mean", "running_var"}))
    return std::nullopt;
  return std::string(front) + std::string(digit) + "." + std::string(leaf);
}

/// The DenseNet files of 2017 write `denselayer1.norm.1.weight` for `denselayer1.norm1.weight`.
/// Only below a dense layer: `transition1.norm.weight` stays.
class Torchvision : public Rule {
 public:
  using Options = NoOptions;
  Torchvision(const Options&, const Setup&) {}
  int order() const override { return 20; }
  void apply(Draft& draft) const override {
    for (std::size_t i = 0; i < draft.tensors().size(); ++i)
      if (const auto name = without_dot(draft.tensors()[i].first)) draft.rename(i, *name);
  }
};

const Register<Rule, Torchvision> torchvision_rule{{
    .name = "torchvision",
    .summary = "names of torchvision, which our nets have; DenseNet files of 2017 are renamed",
    .aliases = {"timm", "group_loss"},
}};

}  // namespace
}  // namespace dml::weights
