#pragma once
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "dml/optimizer.hpp"
#include "dml/optimizers/fused.hpp"

namespace dml {

/// What an optimizer keeps for a parameter.
struct Moments {
  std::int64_t steps = 0;
  std::array<Tensor, most_moments> tensors{};
};

/// State by parameter, and its way into files and back; the part of an optimizer that does not
/// depend on its rule.
class MomentStore {
 public:
  /// @param names  of the moments, as in files ("exp_avg").
  MomentStore(ParameterStore& store, std::vector<std::string> names)
      : store_(&store), names_(std::move(names)) {}

  /// The state of a parameter; zeros and no step at first.
  Moments& of(const Parameter& parameter);
  /// @see Optimizer::state
  std::map<std::string, Tensor> state() const;
  /// @see Optimizer::restore
  void restore(const std::map<std::string, Tensor>& state);

 private:
  ParameterStore* store_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, Moments> all_;
};

/// An optimizer made of a rule (see FusedStep). Derived classes say
///   using Options = ...;   with members lr and weight_decay
///   Rule rule(const Options&) const                            flags of the rule
///   void scalars(const Options&, double lr, double decay, std::int64_t step, double* out) const
/// where `step` counts the steps of the parameter, from 1.
template <class Self, class Rule, class Options> class RuleOptimizer : public Optimizer {
 public:
  RuleOptimizer(const Options& options, const Setup& setup, std::vector<std::string> moments)
      : store_(setup.store), options_(options), moments_(setup.store, std::move(moments)) {
    for (const auto& [name, settings] : setup.groups) {
      Settings merged = write(options);
      for (const auto& [key, value] : settings) merged[key] = value;
      groups_.emplace(name, read<Options>(merged));
    }
  }

  double lr() const override { return options_.lr; }
  std::map<std::string, Tensor> state() const override { return moments_.state(); }
  void restore(const std::map<std::string, Tensor>& state) override { moments_.restore(state); }

  void step(Device& device, double factor) override {
    const Self& self = static_cast<const Self&>(*this);
    // Options may change the rule itself (nesterov), so each group is a pass of its own.
    run(device, self, options_, nullptr, factor);
    for (const auto& [name, options] : groups_) run(device, self, options, &name, factor);
  }

 private:
  void run(Device& device, const Self& self, const Options& options, const std::string* group,
           double factor) {
    std::vector<Update> updates;
    std::vector<double> scalars;
    for (Parameter& parameter : store_.all()) {
      if (!parameter.trainable || parameter.is_buffer || !parameter.grad.defined()) continue;
      const bool special = groups_.count(parameter.group) != 0;
      if (group == nullptr ? special : parameter.group != *group) continue;
      Moments& moments = moments_.of(parameter);
      ++moments.steps;
      updates.push_back({parameter.value, device.dense(parameter.grad), moments.tensors});
      scalars.resize(scalars.size() + Rule::scalars);
      self.scalars(options, options.lr * parameter.lr_scale * factor,
                   options.weight_decay * parameter.decay_scale, moments.steps,
                   scalars.data() + scalars.size() - Rule::scalars);
    }
    if (updates.empty()) return;
    const Tensor table =
        Tensor::of<double>({static_cast<std::int64_t>(updates.size()), Rule::scalars}, scalars);
    FusedStep<Rule>::kernel(device, self.rule(options), updates,
                            device.upload(table.to(updates[0].value.dtype())));
  }

  ParameterStore& store_;
  Options options_;
  std::map<std::string, Options> groups_;
  MomentStore moments_;
};

}  // namespace dml
