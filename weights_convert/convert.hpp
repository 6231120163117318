#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "weights_convert/mapping.hpp"
#include "weights_convert/rename.hpp"

namespace dml::weights {

/// The formats that are written.
enum class Target : std::uint8_t {
  safetensors,
  pth,        ///< a state dict for torch.load
  pth_names,  ///< safetensors under the names of PyTorch's net, without what belongs to a loss
  onnx,       ///< a graph, which takes more than the tensors to write
};
/// "safetensors", "pth", "pth-names" or "onnx". @throws UsageError
Target target_of(const std::string& name);

/// What is to be converted, and into what.
struct ConvertOptions {
  std::filesystem::path input;
  std::string from = "auto";           ///< source of the weights, a Rule; only names without a net
  std::optional<Renaming> renaming{};  ///< is obeyed before anything else looks at names
  std::optional<NetTarget> net{};      ///< without one, tensors keep the names of the file
  bool lenient = false;                ///< missing and extra tensors are no errors
  std::map<std::string, std::string> metadata{};  ///< added to the file's (net, preprocessing ...)
};

/// What was converted.
struct Converted {
  Weights source;   ///< its tensors have been moved to `mapping`
  Mapping mapping;  ///< without a net everything fits
  /// Tensors of the loss in a checkpoint of a training, which no net has.
  std::vector<std::string> of_loss{};
  std::map<std::string, std::string> metadata;
};

/// Reads, names and maps. @throws FormatError when tensors do not fit the net: missing and extra
/// ones unless lenient, misshapen ones always.
Converted convert(const ConvertOptions& options);

/// Writes the tensors atomically: as safetensors with their metadata, or as a state dict that
/// torch.load reads, which has no place for metadata. Not for Target::onnx.
void write_converted(const Converted& converted, const std::filesystem::path& output,
                     Target target = Target::safetensors);

/// Where a converted file goes when nothing is said: the input's name with .safetensors (.pth,
/// .onnx) for its ending (.pth, .pt, .th, .bin, .ckpt, .tar, also .pth.tar), or behind it.
std::filesystem::path default_output(const std::filesystem::path& input,
                                     Target target = Target::safetensors);

}  // namespace dml::weights
