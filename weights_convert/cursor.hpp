#pragma once
#include <cstdint>
#include <string_view>

namespace dml::weights {

/// Reads little-endian numbers and pieces one after the other out of bytes. Nothing is read beyond
/// the end: every length is checked against the bytes that are left. @throws FormatError
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  std::size_t position() const { return next_; }
  std::size_t left() const { return bytes_.size() - next_; }

  /// The next bytes.
  std::string_view take(std::uint64_t length);
  /// An unsigned number of `size` bytes (at most 8).
  std::uint64_t little(std::size_t size);
  unsigned byte() { return static_cast<unsigned>(little(1)); }
  /// A length stored as a signed number of four bytes; negative ones are refused.
  std::uint64_t signed_length();
  /// The text before the next line feed, which is skipped.
  std::string_view line();

 private:
  std::string_view bytes_;
  std::size_t next_ = 0;
};

/// A little-endian number in two's complement of at most 8 bytes; 0 for none.
std::int64_t signed_number(std::string_view bytes);

}  // namespace dml::weights
