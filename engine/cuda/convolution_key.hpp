#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "engine/dtype.hpp"

/// How a convolution is named to cuDNN, without any header of CUDA.
namespace dml::cuda {

/// The three computations of a convolution layer.
enum class ConvolutionKind : std::uint8_t { forward, backward_data, backward_weight };

/// Everything that decides which plan cuDNN makes: two equal keys share a plan.
/// y = relu(conv(x, weight) + residual + bias); the last three only with `forward`.
struct ConvolutionKey {
  ConvolutionKind kind = ConvolutionKind::forward;
  DType type = DType::f32;               ///< of all tensors; sums are f32
  std::array<std::int64_t, 4> x{};       ///< n, h, w, c
  std::array<std::int64_t, 4> weight{};  ///< k, r, s, c / groups
  std::array<std::int64_t, 4> y{};       ///< n, oh, ow, k
  std::array<std::int64_t, 2> stride{1, 1}, pad{0, 0}, dilation{1, 1};
  bool bias = false, residual = false, relu = false;
  bool tf32 = false;            ///< f32 alone: products of inputs rounded to 10 bits are welcome
  std::int64_t alignment = 16;  ///< bytes to which all addresses are aligned

  auto operator<=>(const ConvolutionKey&) const = default;
};

/// "forward [32, 56, 56, 64] * [64, 3, 3, 64] stride 1 pad 1 f32"
std::string to_string(const ConvolutionKey& key);

class Context;
/// From now on convolutions of f32 on this device may use tensor cores, which round their inputs to
/// TF32 (10 bits of mantissa, sums in f32). Every other product stays f32.
/// @throws DeviceError in a build without CUDA.
void allow_tf32(Context& context);

/// What cuDNN answered when it was asked for a plan.
struct PlanSummary {
  bool found = false;
  std::int64_t workspace = 0;   ///< bytes
  int considered = 0;           ///< engine configurations that the heuristics named
  int unwanted = 0;             ///< left out for their notes: precision, repeatability
  bool compiled_later = false;  ///< an engine accepted it, whose code is compiled on the GPU
  std::string words;            ///< cuDNN's, of the last refusal
};

/// Asks cuDNN for a plan on a GPU that is described in JSON (cuDNN's own keys) and need not be
/// there. @throws DeviceError in a build without CUDA, or when cuDNN refuses the description.
PlanSummary plan_on(const std::string& device_json, const ConvolutionKey& key);

/// The version of the cuDNN that is linked, 91900 for 9.19.0; 0 in a build without CUDA.
std::int64_t cudnn_version();

}  // namespace dml::cuda
