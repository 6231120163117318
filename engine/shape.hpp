#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace dml {

/// Sizes of a tensor, outermost first. {} is one number.
using Shape = std::vector<std::int64_t>;

/// How many elements a shape has; 1 for {}.
inline std::int64_t count(const Shape& shape) {
  std::int64_t elements = 1;
  for (const std::int64_t size : shape) elements *= size;
  return elements;
}

/// "[2, 3, 224, 224]"
inline std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace dml
