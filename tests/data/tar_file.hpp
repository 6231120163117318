#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

namespace dml::testing {

/// One entry of a tar file: header, contents, padding.
inline std::string tar_entry(const std::string& name, const std::string& contents, char type = '0',
                             const std::string& prefix = "") {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  const auto octal = [](std::uint64_t value, int digits) {
    char text[16];
    std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
    return std::string(text);
  };
  put(0, name.substr(0, 100));
  put(100, "0000644");
  put(124, octal(contents.size(), 11));
  put(136, octal(0, 11));
  put(156, std::string(1, type));
  put(257, std::string("ustar\0"
                       "00",
                       8));
  put(345, prefix);
  put(148, "        ");
  std::uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string(1, '\0') + " ");
  return header + contents + std::string((512 - contents.size() % 512) % 512, '\0');
}

/// What ends a tar file.
inline std::string tar_end() { return std::string(1024, '\0'); }

/// An extended header that says one thing of the entry behind it.
inline std::string tar_extended(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return tar_entry("x", std::to_string(length) + rest, 'x');
}

}  // namespace dml::testing
