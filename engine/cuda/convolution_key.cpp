#include "engine/cuda/convolution_key.hpp"

#include "engine/shape.hpp"

namespace dml::cuda {

std::string to_string(const ConvolutionKey& key) {
  static constexpr std::array<const char*, 3> kinds{"forward", "backward data", "backward weight"};
  const auto text = [](const std::array<std::int64_t, 4>& sizes) {
    return dml::to_string(Shape(sizes.begin(), sizes.end()));
  };
  return std::string(kinds[static_cast<std::size_t>(key.kind)]) + " " + text(key.x) + " * " +
         text(key.weight) + " stride " + std::to_string(key.stride[0]) + " pad " +
         std::to_string(key.pad[0]) + (key.residual ? " + residual" : "") +
         (key.bias ? " + bias" : "") + (key.relu ? " relu" : "") + " " +
         (key.tf32 ? "tf32" : name_of(key.type));
}

}  // namespace dml::cuda
