#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dml {

/// A message of protocol buffers, put together field by field. Fields are told apart by their
/// numbers; a message inside another is text(field, inner.bytes()).
class ProtobufMessage {
 public:
  /// A text, bytes, or a message inside this one.
  void text(unsigned field, std::string_view value) {
    head(field, value.size());
    bytes_ += value;
  }
  /// int32, int64, an enumerator or a boolean.
  void whole(unsigned field, std::int64_t value) {
    key(field, 0);
    varint(static_cast<std::uint64_t>(value));
  }
  /// double
  void real(unsigned field, double value);
  /// float
  void single(unsigned field, float value);
  /// repeated double, packed
  void reals(unsigned field, const std::vector<double>& values);
  /// The beginning of a text of so many bytes, which follow by another way.
  void head(unsigned field, std::uint64_t size) {
    key(field, 2);
    varint(size);
  }

  /// What was put together so far.
  const std::string& bytes() const { return bytes_; }

 private:
  void key(unsigned field, unsigned wire) { varint(field << 3U | wire); }
  void varint(std::uint64_t value);

  std::string bytes_;
};

}  // namespace dml
