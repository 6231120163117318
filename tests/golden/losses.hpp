#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dml/loss.hpp"
#include "tests/golden/golden.hpp"

namespace dml::golden {

/// A tensor of integers of the file as a list.
std::vector<std::int64_t> integers_of(const Case& given, const std::string& name);

/// A loss of the registry whose learnt parameters come from the file, and the gradients that it
/// gives back.
class LossRun {
 public:
  /// Makes the loss `name` for embeddings of `dim` numbers; its parameters are `loss.*`.
  LossRun(Run& run, const std::string& name, const Settings& settings, std::int64_t dim,
          std::int64_t classes);

  Loss& loss() { return *loss_; }
  ParameterStore& store() { return store_; }
  /// Sets the parameter of that name in the loss to param.<stored> of the file.
  /// @param by_column  the file has one class vector per column, the engine one per row
  void parameter(const std::string& name, const std::string& stored, bool by_column = false);
  /// in.<name> as a variable whose gradient finish() gives as grad.<name>.
  Var input(const std::string& name);
  /// Gives out.loss and all gradients.
  void finish(const Var& y);

 private:
  struct Learnt {
    Parameter* parameter;
    std::string stored;
    bool by_column;
  };

  Run& run_;
  ParameterStore store_;
  std::unique_ptr<Loss> loss_;
  std::vector<Learnt> learnt_;
  std::vector<std::pair<std::string, Var>> inputs_;
};

/// The options of a loss that the metadata states: hp.*, distance, reducer, regularisers.
Settings loss_settings(const Case& given);

}  // namespace dml::golden
