#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "weights_convert/mapping.hpp"

namespace dml::weights {

/// What is to be converted, and into what.
struct ConvertOptions {
  std::filesystem::path input;
  std::string from = "auto";       ///< source of the weights, a Rule; only names without a net
  std::optional<NetTarget> net{};  ///< without one, tensors keep the names of the file
  bool lenient = false;            ///< missing and extra tensors are no errors
  std::map<std::string, std::string> metadata{};  ///< added to the file's (net, preprocessing ...)
};

/// What was converted.
struct Converted {
  Weights source;   ///< its tensors have been moved to `mapping`
  Mapping mapping;  ///< without a net everything fits
  std::map<std::string, std::string> metadata;
};

/// Reads, names and maps. @throws FormatError when tensors do not fit the net: missing and extra
/// ones unless lenient, misshapen ones always.
Converted convert(const ConvertOptions& options);

/// Writes the tensors with their metadata as safetensors, atomically.
void write_converted(const Converted& converted, const std::filesystem::path& output);

/// Where a converted file goes when nothing is said: the input's name with .safetensors for its
/// ending (.pth, .pt, .th, .bin, .ckpt, .tar, also .pth.tar), or behind it.
std::filesystem::path default_output(const std::filesystem::path& input);

}  // namespace dml::weights
