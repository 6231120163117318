#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/safetensors.hpp"

namespace dml {

/// What weights make of a picture that is always the same: 64 of the net's pooled features (all,
/// where there are fewer), evenly spread, and the length of all of them.
struct FixedFeatures {
  std::vector<double> values;
  double length = 0;

  /// As the text that the metadata of weights keep under `metadata_key`.
  std::string to_json() const;
  /// @throws FormatError when the text is not what to_json writes.
  static FixedFeatures from_json(const std::string& text);
  static constexpr const char* metadata_key = "check.features";
};

/// Runs the picture through the net that the metadata of the weights name.
/// @param name   of the file, for errors.
/// @param stage  the last stage of which the file holds weights; empty: it holds all.
/// @throws UsageError where the metadata name no net.
FixedFeatures fixed_features(const SafeTensors& weights, const std::string& name,
                             const std::string& stage);

/// The largest difference of the values in lengths of the stored features; infinity where the
/// numbers of values differ or one is not finite.
double apart(const FixedFeatures& found, const FixedFeatures& stored);

}  // namespace dml
