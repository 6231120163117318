#pragma once
#include <string>

namespace dml::testing {

/// Whether a text has this part.
inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace dml::testing
