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
      : store_(setup.store),
        takes_(setup.takes),
        options_(options),
        moments_(setup.store, std::move(moments)) {
    for (const auto& [name, settings] : setup.groups) {
      Settings merged = write(options);
      for (const auto& [key, value] : settings) merged[key] = value;
      groups_.emplace(name, read<Options>(merged));
    }
  }

  double lr() const override { return options_.lr; }
  std::map<std::string, Tensor> state() const override { return moments_.state(); }
  void restore(const std::map<std::string, Tensor>& state) override { moments_.restore(state); }

  using Optimizer::step;
  void step(Device& device, const Pace& pace) override {
    const Self& self = static_cast<const Self&>(*this);
    // Options may change the rule itself (nesterov), so each group is a pass of its own.
    run(device, self, paced(options_, pace), nullptr, pace);
    for (const auto& [name, options] : groups_)
      run(device, self, paced(options, pace), &name, pace);
  }

 private:
  /// The options with the momentum that the schedule wants.
  static Options paced(Options options, const Pace& pace) {
    if (pace.momentum) {
      if constexpr (requires { options.momentum; }) options.momentum = *pace.momentum;
      if constexpr (requires { options.beta1; }) options.beta1 = *pace.momentum;
    }
    return options;
  }

  void run(Device& device, const Self& self, const Options& options, const std::string* group,
           const Pace& pace) {
    std::vector<Update> updates;
    std::vector<double> scalars;
    for (Parameter& parameter : store_.all()) {
      if (!parameter.trainable || parameter.is_buffer || !parameter.grad.defined()) continue;
      if (takes_ && !takes_(parameter)) continue;
      const bool special = groups_.count(parameter.group) != 0;
      if (group == nullptr ? special : parameter.group != *group) continue;
      Moments& moments = moments_.of(parameter);
      ++moments.steps;
      updates.push_back({parameter.value, device.dense(parameter.grad), moments.tensors});
      scalars.resize(scalars.size() + Rule::scalars);
      self.scalars(options, pace.rate(options.lr * parameter.lr_scale),
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
  std::function<bool(const Parameter&)> takes_;
  Options options_;
  std::map<std::string, Options> groups_;
  MomentStore moments_;
};

}  // namespace dml
