#include "weights_convert/cursor.hpp"

#include <fmt/format.h>

#include "engine/error.hpp"

namespace dml::weights {

std::string_view Cursor::take(std::uint64_t length) {
  if (length > left())
    throw FormatError(fmt::format(
        "{} bytes are needed, {} are left; the file is cut short or damaged", length, left()));
  const std::string_view part = bytes_.substr(next_, length);
  next_ += length;
  return part;
}

std::uint64_t Cursor::little(std::size_t size) {
  const std::string_view part = take(size);
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8U | static_cast<unsigned char>(part[i]);
  return value;
}

std::uint64_t Cursor::signed_length() {
  const auto length = static_cast<std::int32_t>(little(4));
  if (length < 0) throw FormatError(fmt::format("the length {} is negative", length));
  return static_cast<std::uint64_t>(length);
}

std::string_view Cursor::line() {
  const std::size_t end = bytes_.find('\n', next_);
  if (end == std::string_view::npos) throw FormatError("a name does not end");
  const std::string_view text = take(end - next_);
  take(1);
  return text;
}

std::int64_t signed_number(std::string_view bytes) {
  const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80U) != 0;
  std::uint64_t number = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    number = number << 8U | static_cast<unsigned char>(bytes[i]);
  return static_cast<std::int64_t>(number);
}

}  // namespace dml::weights
