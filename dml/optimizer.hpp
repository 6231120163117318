#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "engine/device.hpp"
#include "engine/parameter.hpp"
#include "engine/registry.hpp"

namespace dml {

/// What a schedule says of a step.
struct Pace {
  /// The learning rate of a parameter whose own rate is the argument.
  std::function<double(double)> rate;
  /// In place of the optimizer's momentum (Adam's beta1), where it has one.
  std::optional<double> momentum{};
};

/// Moves the parameters of a store along their gradients. A parameter that is not trainable or has
/// no gradient is skipped completely: no decay, no state, no count of steps.
class Optimizer {
 public:
  static constexpr const char* kind = "optimizer";

  /// Whose parameters move.
  struct Setup {
    ParameterStore& store;
    /// Settings of parameter groups (Parameter::group) where they differ from the optimizer's own:
    /// {"proxies": {"lr": "0.01"}}. Names are those of the optimizer's options.
    std::map<std::string, Settings> groups{};
    /// Whether a parameter is the optimizer's to move; empty: all are.
    std::function<bool(const Parameter&)> takes{};
  };

  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step. A parameter moves with the rate  pace.rate(lr(its group) * Parameter::lr_scale)  and
  /// decays with  weight_decay(its group) * Parameter::decay_scale.
  virtual void step(Device& device, const Pace& pace) = 0;
  /// The same with all rates times a factor.
  void step(Device& device, double factor) {
    step(device, Pace{[factor](double base) { return base * factor; }});
  }
  /// The learning rate of the default group, before scale and factor.
  virtual double lr() const = 0;

  /// All state by name, ready for a file: "<parameter>.steps" ([] i64) and one tensor of the
  /// parameter's shape for every moment, "<parameter>.exp_avg". Parameters that never moved have
  /// none. Tensors may share memory with the optimizer's and lie on its device.
  virtual std::map<std::string, Tensor> state() const = 0;
  /// Takes back what state() gave, bit for bit; what is there is dropped.
  /// @throws FormatError for names that fit no parameter and shapes that differ.
  virtual void restore(const std::map<std::string, Tensor>& state) = 0;

 protected:
  Optimizer() = default;
};

}  // namespace dml
