#include <fmt/core.h>

#include "dml/optimizers/rule_optimizer.hpp"

namespace dml {

Moments& MomentStore::of(const Parameter& parameter) {
  Moments& moments = all_[parameter.name];
  for (std::size_t m = 0; m < names_.size(); ++m)
    if (!moments.tensors[m].defined())
      moments.tensors[m] = store_->device().zeros(parameter.value.shape(), parameter.value.dtype());
  return moments;
}

std::map<std::string, Tensor> MomentStore::state() const {
  std::map<std::string, Tensor> state;
  for (const auto& [name, moments] : all_) {
    state[name + ".steps"] = Tensor::of<std::int64_t>({}, {moments.steps});
    for (std::size_t m = 0; m < names_.size(); ++m)
      state[name + "." + names_[m]] = moments.tensors[m];
  }
  return state;
}

void MomentStore::restore(const std::map<std::string, Tensor>& state) {
  std::unordered_map<std::string, Moments> fresh;
  for (const auto& [key, tensor] : state) {
    const std::size_t dot = key.rfind('.');
    const std::string name = key.substr(0, dot == std::string::npos ? 0 : dot);
    const std::string what = dot == std::string::npos ? key : key.substr(dot + 1);
    const Parameter* parameter = store_->find(name);
    if (parameter == nullptr)
      throw FormatError(
          fmt::format("optimizer state: '{}' belongs to no parameter of this model\n"
                      "  the state was written for another net or loss",
                      key));
    if (what == "steps") {
      fresh[name].steps = static_cast<std::int64_t>(tensor.item());
      continue;
    }
    const auto found = std::find(names_.begin(), names_.end(), what);
    if (found == names_.end())
      throw FormatError(
          fmt::format("optimizer state: '{}' is nothing that this optimizer keeps\n"
                      "  the state was written by another optimizer",
                      key));
    if (tensor.shape() != parameter->value.shape() || tensor.dtype() != parameter->value.dtype())
      throw FormatError(fmt::format("optimizer state: '{}' is {} {}, the parameter {} {}", key,
                                    name_of(tensor.dtype()), to_string(tensor.shape()),
                                    name_of(parameter->value.dtype()),
                                    to_string(parameter->value.shape())));
    // A copy: later steps must not write into what the caller holds.
    Tensor own = store_->device().empty(tensor.shape(), tensor.dtype());
    store_->device().copy(store_->device().upload(tensor), own);
    fresh[name].tensors[static_cast<std::size_t>(found - names_.begin())] = own;
  }
  all_ = std::move(fresh);
}

}  // namespace dml
