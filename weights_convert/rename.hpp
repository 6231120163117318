#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "engine/safetensors.hpp"
#include "weights_convert/rule.hpp"

namespace dml::weights {

/// Rules of the user's own for names in a file (convert_weights --map):
///
///     drop = ["optimizer.", "ema."]   # tensors whose names begin so are left out
///     [rename]                        # beginnings of names; the longest that fits counts
///     "encoder." = ""
///     "encoder.head." = "fc."
class Renaming {
 public:
  /// @throws FormatError with the line, DataError when the file cannot be read.
  static Renaming read(const std::filesystem::path& file);

  /// The tensors under their new names, in their order.
  /// @throws UsageError for a rule that fits no name, FormatError where two names become one.
  NamedTensors apply(NamedTensors tensors) const;

 private:
  std::string source_;
  std::vector<std::pair<std::string, std::string>> rename_;
  std::vector<std::string> drop_;
};

}  // namespace dml::weights
