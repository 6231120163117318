#include "weights_convert/tree.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.hpp"

namespace dml::weights {

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::none:
      return "None";
    case Kind::boolean:
      return "a truth value";
    case Kind::integer:
    case Kind::big:
      return "a whole number";
    case Kind::real:
      return "a number";
    case Kind::text:
      return "a text";
    case Kind::bytes:
      return "bytes";
    case Kind::global:
      return "a class or function name";
    case Kind::list:
      return "a list";
    case Kind::tuple:
      return "a tuple";
    case Kind::dict:
      return "a dict";
    case Kind::set:
    case Kind::frozen_set:
      return "a set";
    case Kind::storage:
      return "a storage";
    case Kind::tensor:
      return "a tensor";
    case Kind::opaque:
      return "an object";
  }
  return "?";
}

void Tree::charge(std::uint64_t bytes) {
  used_ += bytes;
  if (used_ > limit_)
    throw FormatError(
        fmt::format("the pickled values take more than {} MB of memory; this is no "
                    "file of weights",
                    limit_ >> 20U));
}

Value Tree::add(Kind kind, std::vector<Value> items, std::size_t position) {
  charge(sizeof(Object) + 16 + items.capacity() * sizeof(Value));
  Value value;
  value.kind = kind;
  value.index = static_cast<std::uint32_t>(objects_.size());
  objects_.push_back({kind, static_cast<std::uint32_t>(position), std::move(items)});
  return value;
}

Value Tree::own(std::string text) {
  charge(sizeof(std::string) + text.capacity() + 16);
  texts_.push_back(std::move(text));
  Value value;
  value.kind = Kind::text;
  value.index = static_cast<std::uint32_t>(texts_.size());
  return value;
}

std::string_view Tree::text(const Value& value) const {
  if (value.kind == Kind::text && value.index != 0) return texts_[value.index - 1];
  return bytes_.substr(value.span.first, value.span.length);
}

std::string Tree::global_name(const Value& global) const {
  const std::vector<Value>& names = at(global).items;
  return shown(fmt::format("{}.{}", text(names[0]), text(names[1])));
}

bool hashable(const Tree& tree, const Value& value) {
  const auto changes = [](Kind kind) {
    return kind == Kind::list || kind == Kind::dict || kind == Kind::set;
  };
  if (changes(value.kind)) return false;
  if (value.kind != Kind::tuple) return true;
  const std::vector<Value>& items = tree.at(value).items;
  return std::none_of(items.begin(), items.end(),
                      [&](const Value& item) { return changes(item.kind); });
}

std::string shown(std::string_view text) {
  constexpr std::size_t longest = 120;
  std::string result;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7F ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  if (text.size() <= longest) return result;
  while (!result.empty() && (static_cast<unsigned char>(result.back()) & 0xC0U) == 0x80U)
    result.pop_back();  // do not cut a character
  if (!result.empty() && (static_cast<unsigned char>(result.back()) & 0x80U) != 0)
    result.pop_back();
  return result + "...";
}

bool is_utf8(std::string_view bytes) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) -> unsigned {
    return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
  };
  while (i < bytes.size()) {
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4) return false;
    for (std::size_t k = 1; k <= more; ++k)
      if ((byte(i + k) & 0xC0U) != 0x80U) return false;
    const unsigned second = byte(i + 1);
    const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    const bool surrogate = lead == 0xED && second >= 0xA0;
    const bool beyond = lead == 0xF4 && second >= 0x90;
    if (overlong || surrogate || beyond) return false;
    i += more + 1;
  }
  return true;
}

std::string utf8_of_latin1(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0U | code >> 6U);
      text += static_cast<char>(0x80U | (code & 0x3FU));
    }
  }
  return text;
}

}  // namespace dml::weights
