#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dml/optimizer.hpp"

namespace dml {

/// What a group of parameters has of its own beside options of its optimizer.
struct GroupOptions {
  std::string match{};
  std::string optimizer{};
  std::int64_t frozen_epochs = 0;
  std::int64_t freeze_from = 0;
  static constexpr std::tuple fields{
      field("match", &GroupOptions::match,
            "names of parameters with * and ?, several with commas: layer4.*,loss.*; empty: those "
            "that net or loss have put into a group of this name"),
      field("optimizer", &GroupOptions::optimizer, "an optimizer of its own; empty: the run's"),
      field("frozen_epochs", &GroupOptions::frozen_epochs,
            "so many first epochs without gradient: no step, no decay, no state", {0, 1e9}),
      field("freeze_from", &GroupOptions::freeze_from,
            "from this epoch on (counted from 1) without gradient; 0: never", {0, 1e9}),
  };
};

/// A group as a run configures it.
struct GroupSetup {
  std::string name;
  GroupOptions options{};
  Settings settings{};  ///< options of its optimizer where they differ from the run's
};

/// The parameter groups of a run: who belongs to them, and when they rest.
class ParameterGroups {
 public:
  /// Puts parameters into their groups; one that several groups match belongs to the last.
  /// @throws UsageError for a group without parameters.
  ParameterGroups(ParameterStore& store, std::vector<GroupSetup> groups);

  /// Parameters that `rests` says yes to have no gradient in the first epochs, whatever group they
  /// are in.
  void rest_at_first(std::int64_t epochs, const std::function<bool(const Parameter&)>& rests);
  /// Switches gradients off and on for this epoch (from 0). What was not trainable stays so.
  void begin_epoch(std::int64_t epoch);
  const std::vector<GroupSetup>& all() const { return groups_; }

 private:
  /// A parameter that can be trained, and when it rests.
  struct Member {
    Parameter* parameter;
    std::int64_t first;  ///< epochs at the beginning
    std::int64_t from;   ///< counted from 1; 0: never
  };
  Member& member(Parameter& parameter);

  ParameterStore* store_;
  std::vector<GroupSetup> groups_;
  std::vector<Member> members_;
};

/// The optimizer of a run: that of this name for all parameters but those of groups with an
/// optimizer of their own.
/// @throws UsageError for unknown names and bad settings.
std::unique_ptr<Optimizer> make_optimizer(const std::string& name, const Settings& settings,
                                          ParameterStore& store,
                                          const std::vector<GroupSetup>& groups);

}  // namespace dml
