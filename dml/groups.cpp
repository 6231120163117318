#include "dml/groups.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <sstream>

namespace dml {
namespace {

bool matches(const std::string& patterns, const std::string& name) {
  std::istringstream stream(patterns);
  for (std::string pattern; std::getline(stream, pattern, ',');)
    if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) return true;
  return false;
}

/// Several optimizers, each for parameters of its own.
class SeveralOptimizers final : public Optimizer {
 public:
  struct Part {
    std::vector<std::string> groups;  ///< of the parameters; empty: all that no other part has
    std::unique_ptr<Optimizer> optimizer;
  };
  SeveralOptimizers(ParameterStore& store, std::vector<Part> parts)
      : store_(store), parts_(std::move(parts)) {}

  using Optimizer::step;
  void step(Device& device, const Pace& pace) override {
    for (const Part& part : parts_) part.optimizer->step(device, pace);
  }
  double lr() const override { return parts_[0].optimizer->lr(); }

  std::map<std::string, Tensor> state() const override {
    std::map<std::string, Tensor> all;
    for (const Part& part : parts_) all.merge(part.optimizer->state());
    return all;
  }
  void restore(const std::map<std::string, Tensor>& state) override {
    std::vector<std::map<std::string, Tensor>> own(parts_.size());
    for (const auto& [key, tensor] : state) own[part_of(key)][key] = tensor;
    for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].optimizer->restore(own[i]);
  }

 private:
  /// Which part keeps a state of that name; an unknown name is the first one's to refuse.
  std::size_t part_of(const std::string& key) const {
    const Parameter* parameter = store_.find(key.substr(0, key.rfind('.')));
    for (std::size_t i = 1; parameter != nullptr && i < parts_.size(); ++i)
      for (const std::string& group : parts_[i].groups)
        if (group == parameter->group) return i;
    return 0;
  }

  ParameterStore& store_;
  std::vector<Part> parts_;
};

}  // namespace

ParameterGroups::ParameterGroups(ParameterStore& store, std::vector<GroupSetup> groups)
    : store_(&store), groups_(std::move(groups)) {
  for (const GroupSetup& group : groups_)
    for (Parameter& parameter : store.all())
      if (!parameter.is_buffer && matches(group.options.match, parameter.name))
        parameter.group = group.name;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    bool any = false;
    for (Parameter& parameter : store.all()) {
      if (parameter.is_buffer || parameter.group != groups_[i].name) continue;
      any = true;
      if (!parameter.trainable) continue;
      const GroupOptions& options = groups_[i].options;
      members_.push_back({&parameter, options.frozen_epochs, options.freeze_from});
    }
    if (!any)
      throw UsageError(fmt::format(
          "group '{0}' has no parameter{1}\n  groups.{0}.match takes patterns of names, such as "
          "layer4.* or loss.*; convert_weights --list shows the names in a checkpoint",
          groups_[i].name,
          groups_[i].options.match.empty() ? "" : ": none matches " + groups_[i].options.match));
  }
}

ParameterGroups::Member& ParameterGroups::member(Parameter& parameter) {
  for (Member& one : members_)
    if (one.parameter == &parameter) return one;
  return members_.emplace_back(Member{&parameter, 0, 0});
}

void ParameterGroups::rest_at_first(std::int64_t epochs,
                                    const std::function<bool(const Parameter&)>& rests) {
  if (epochs < 1) return;
  for (Parameter& parameter : store_->all()) {
    if (parameter.is_buffer || !parameter.trainable || !rests(parameter)) continue;
    Member& one = member(parameter);
    one.first = std::max(one.first, epochs);
  }
}

void ParameterGroups::begin_epoch(std::int64_t epoch) {
  for (const Member& one : members_) {
    const bool ended = one.from > 0 && epoch + 1 >= one.from;
    one.parameter->trainable = epoch >= one.first && !ended;
  }
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name, const Settings& settings,
                                          ParameterStore& store,
                                          const std::vector<GroupSetup>& groups) {
  Optimizer::Setup main{.store = store};
  std::vector<std::string> elsewhere;
  std::vector<SeveralOptimizers::Part> parts(1);
  for (const GroupSetup& group : groups) {
    if (group.options.optimizer.empty()) {
      main.groups[group.name] = group.settings;
      continue;
    }
    elsewhere.push_back(group.name);
    const auto takes = [own = group.name](const Parameter& p) { return p.group == own; };
    parts.push_back({{group.name},
                     Registry<Optimizer>::make(group.options.optimizer, group.settings,
                                               {.store = store, .takes = takes})});
  }
  if (elsewhere.empty()) return Registry<Optimizer>::make(name, settings, main);
  main.takes = [elsewhere](const Parameter& p) {
    return std::find(elsewhere.begin(), elsewhere.end(), p.group) == elsewhere.end();
  };
  parts[0].optimizer = Registry<Optimizer>::make(name, settings, main);
  return std::make_unique<SeveralOptimizers>(store, std::move(parts));
}

}  // namespace dml
