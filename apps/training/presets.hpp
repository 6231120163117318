#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/config.hpp"
#include "engine/event.hpp"

namespace dml {

/// A published experiment, or a good beginning: values of a configuration in a file
/// METHOD/DATASET.toml, with tables of its own beside them:
///
///     [preset]    title, note, and what it is the default of:
///                 default_for_loss = "group", default_for_dataset = "cub200"
///     [expected]  published figures by name of the metric, as shares (0.655), and their source
struct Preset {
  std::string name;  ///< "group-loss/cub200"
  std::filesystem::path file;
  std::string title;
  std::string note;                 ///< told when the preset is used; may be empty
  std::string default_for_loss;     ///< used where a run names this loss and no preset ...
  std::string default_for_dataset;  ///< ... and this dataset; empty: any without a better one
  std::string source;               ///< of the expected figures
  Figures expected;
  std::vector<Given> values;

  /// The dataset that `expected` is of; empty when the preset names none.
  std::string dataset() const;
};

/// All presets, by name. They lie in share/dml/presets beside the installed tools, or in the source
/// folder.
std::vector<Preset> all_presets();

/// The preset of that name. @throws UsageError with the nearest known one.
Preset find_preset(const std::string& name);

/// The preset that fits a run that names loss and dataset only, or null-like: an empty name.
Preset default_preset(const std::string& loss, const std::string& dataset);

}  // namespace dml
