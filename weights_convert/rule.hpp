#pragma once
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/registry.hpp"
#include "weights_convert/weights.hpp"

namespace dml::weights {

/// A tensor that a net wants, with its name and shape in files.
struct WantedTensor {
  std::string name;
  Shape shape;             ///< -1: any size
  std::string stage = {};  ///< the part of the net that it belongs to
};

/// What a net wants from a file.
struct NetTarget {
  std::string name;                    ///< "resnet50"
  std::vector<WantedTensor> tensors;   ///< in order
  std::vector<WantedTensor> optional;  ///< of heads: kept where they are there
  std::string classifier;              ///< "fc": what the net calls its classifier
  std::int64_t width = 0;              ///< inputs of the classifier
  std::int64_t classes = 0;            ///< its outputs; 0: as many as the file has
};

/// Tensors on their way from a file to a net.
class Draft {
 public:
  /// @param net  null where only names are to be changed.
  Draft(NamedTensors tensors, const NetTarget* net);

  const NamedTensors& tensors() const { return tensors_; }
  NamedTensors take() { return std::move(tensors_); }
  /// Whether there is a tensor of that name.
  const Tensor* find(const std::string& name) const;
  /// What the net wants under that name, or null.
  const WantedTensor* wanted(const std::string& name) const;

  /// Gives tensor `index` another name, unless it is taken. True when it has the name now.
  bool rename(std::size_t index, const std::string& name);
  /// Takes the prefix from all names, except where the net wants the longer name.
  void strip(std::string_view prefix);
  /// A second copy of a tensor under a name that the net does not want: left out when the tensor
  /// `own` has the same numbers, renamed to it when that is absent.
  void merge(std::size_t index, const std::string& own);
  /// Gives a tensor another shape of the same count.
  void reshape(std::size_t index, const Shape& shape);
  /// Takes the tensors that merge() left out from the list.
  void sweep();

  const std::vector<std::string>& merged() const { return merged_; }

 private:
  NamedTensors tensors_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::unordered_map<std::string, const WantedTensor*> wanted_;
  std::vector<std::string> merged_;
  std::unordered_set<std::size_t> left_out_;
};

/// How one source of weights (a collection, a repository) names and shapes them, as changes that
/// lead to our nets' names. A rule that does not recognise anything changes nothing, so that all
/// may be tried. They register themselves: Register<Rule, T>.
class Rule {
 public:
  static constexpr const char* kind = "source of weights";
  struct Setup {};
  virtual ~Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  /// Smaller ones come first: 0 prefixes, 10 second copies, 20 names, 30 shapes.
  virtual int order() const = 0;
  virtual void apply(Draft& draft) const = 0;

 protected:
  Rule() = default;
};

/// Options of rules, which have none.
struct NoOptions {
  static constexpr std::tuple<> fields{};
};

/// Applies the rule of that source, or with "auto" all in their order.
/// @throws UsageError for unknown sources.
void apply_rules(const std::string& source, Draft& draft);

}  // namespace dml::weights
