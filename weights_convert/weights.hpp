#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor.hpp"

namespace dml::weights {

/// Tensors with their names, in the order of the file.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// What a file of weights holds.
struct Weights {
  NamedTensors tensors;
  std::string format;  ///< "torch zip", "torch legacy", "safetensors", "npy folder"
  std::string sha256;  ///< of the file; of a folder that of the lines "name sha256"
  std::map<std::string, std::string> metadata = {};  ///< of a safetensors file
  std::int64_t left_out = 0;                         ///< values beside the weights
  std::vector<std::string> unwrapped = {};           ///< keys that were opened: "state_dict"
  bool prefix_stripped = false;                      ///< whether every name began with "module."
};

/// Reads weights of any supported format (told by contents, not by name): PyTorch's zip and legacy
/// files, safetensors, a folder of .npy files. Nothing in the file is executed.
/// Memory: the file and its tensors; files made to need more are refused.
/// @throws DataError when it cannot be read, FormatError (one line: file, what, where) for anything
///         that is malformed or not supported.
Weights read_weights(const std::filesystem::path& input);

}  // namespace dml::weights
