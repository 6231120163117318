#pragma once

namespace dml {

/// Where in the source something was asked for. (std::source_location needs Clang 15.)
struct Where {
  const char* file;
  int line;
  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace dml
