#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/safetensors.hpp"

namespace dml {

/// What became of weights in an ONNX file.
struct OnnxExport {
  std::size_t nodes = 0, weights = 0;
  std::int64_t size = 0;               ///< side of the images
  std::int64_t features = 0, dim = 0;  ///< sizes of the two outputs
  std::vector<std::string> notes{};    ///< what was assumed, as sentences
};

/// Writes net, pooling, head, and what the loss does to embeddings at retrieval, as a graph of
/// ONNX: `images` [batch, 3, size, size] f32, channels first, prepared as the file's metadata say,
/// to `features` [batch, width] and `embedding` [batch, dim]. Metadata: those of the weights, and
/// the preprocessing number by number (input.order, input.scale, input.mean, input.std,
/// input.size).
/// @param name  of the file that the weights are from, for errors.
/// @throws UsageError where the metadata name no net or an op has no counterpart, FormatError where
///   weights of the model are not there.
OnnxExport export_onnx(SafeTensors weights, const std::string& name,
                       const std::filesystem::path& output);

}  // namespace dml
