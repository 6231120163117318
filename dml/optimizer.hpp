#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "engine/device.hpp"
#include "engine/parameter.hpp"
#include "engine/registry.hpp"

namespace dml {

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
  };

  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step. A parameter moves with the rate  lr(its group) * Parameter::lr_scale * factor  and
  /// decays with  weight_decay(its group) * Parameter::decay_scale.
  /// @param factor  of the schedule.
  virtual void step(Device& device, double factor) = 0;
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
