#include "weights_convert/rule.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

namespace dml::weights {
namespace {

bool same_numbers(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.raw_bytes(), b.raw_bytes(), a.bytes()) == 0);
}

}  // namespace

Draft::Draft(NamedTensors tensors, const NetTarget* net) : tensors_(std::move(tensors)) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) by_name_.emplace(tensors_[i].first, i);
  if (net == nullptr) return;
  for (const WantedTensor& one : net->tensors) wanted_.emplace(one.name, &one);
  for (const WantedTensor& one : net->optional) wanted_.emplace(one.name, &one);
}

const Tensor* Draft::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second].second;
}

const WantedTensor* Draft::wanted(const std::string& name) const {
  const auto found = wanted_.find(name);
  return found == wanted_.end() ? nullptr : found->second;
}

bool Draft::rename(std::size_t index, const std::string& name) {
  std::string& own = tensors_[index].first;
  if (own == name) return true;
  if (!by_name_.emplace(name, index).second) return false;
  by_name_.erase(own);
  own = name;
  return true;
}

void Draft::strip(std::string_view prefix) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const std::string name = tensors_[i].first;
    if (name.rfind(prefix, 0) == 0 && wanted(name) == nullptr)
      rename(i, name.substr(prefix.size()));
  }
}

void Draft::merge(std::size_t index, const std::string& own) {
  if (rename(index, own)) return;
  const auto& [name, tensor] = tensors_[index];
  if (!same_numbers(tensor, *find(own)) || !left_out_.insert(index).second) return;
  merged_.push_back(name);
}

void Draft::reshape(std::size_t index, const Shape& shape) {
  tensors_[index].second = tensors_[index].second.reshape(shape);
}

void Draft::sweep() {
  NamedTensors kept;
  for (std::size_t i = 0; i < tensors_.size(); ++i)
    if (left_out_.count(i) == 0) kept.push_back(std::move(tensors_[i]));
  tensors_ = std::move(kept);
  left_out_.clear();
  by_name_.clear();
  for (std::size_t i = 0; i < tensors_.size(); ++i) by_name_.emplace(tensors_[i].first, i);
}

void apply_rules(const std::string& source, Draft& draft) {
  std::vector<std::unique_ptr<Rule>> rules;
  if (source == "auto") {
    for (const auto& [name, entry] : Registry<Rule>::entries()) rules.push_back(entry.make({}, {}));
    std::stable_sort(rules.begin(), rules.end(),
                     [](const auto& a, const auto& b) { return a->order() < b->order(); });
  } else {
    rules.push_back(Registry<Rule>::make(source, {}, {}));
  }
  for (const std::unique_ptr<Rule>& rule : rules) {
    rule->apply(draft);
    draft.sweep();
  }
}

}  // namespace dml::weights
