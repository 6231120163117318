#pragma once
#include <string>
#include <vector>

#include "weights_convert/rule.hpp"

namespace dml::weights {

/// What came of bringing the tensors of a file to a net.
struct Mapping {
  /// A tensor whose shape is not the net's.
  struct Misfit {
    std::string name;
    Shape file, net;
  };
  NamedTensors tensors;  ///< what fits, under the net's names, in its order
  std::vector<std::string>
      missing;                     ///< wanted and not there (counters of batch norm may be absent)
  std::vector<std::string> extra;  ///< there and not wanted
  std::vector<Misfit> misfits;
  std::vector<Misfit> kept_out;     ///< classifiers of another size or with no place in the net
  std::vector<std::string> merged;  ///< second copies of a tensor that is there
  std::vector<std::string> absent;  ///< stages at the net's end of which the file has nothing
  std::string last_stage;           ///< where the file ends, when some are absent
  std::size_t given = 0;            ///< tensors in the file

  bool fits() const { return missing.empty() && extra.empty() && misfits.empty(); }
  /// What does not fit, a line each, at most `most` lines of a kind; "" for nothing.
  std::string problems(std::size_t most) const;
  /// What the user should know although it fits, a line each; "" for nothing.
  std::string remarks(std::size_t most) const;
};

/// Brings tensors to the names and shapes of a net by the rules of their source.
///
/// The classifier is found by its shape under any of the usual names (fc, last_linear, classifier).
/// A file that ends early (all tensors of the last stages are absent, none of the others is) fits:
/// these stages keep their initial values.
Mapping map_onto(NamedTensors tensors, const NetTarget& net, const std::string& source);

}  // namespace dml::weights
