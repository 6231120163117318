#include <fmt/format.h>
#include <toml++/toml.h>

#include "engine/config.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

std::string place(const toml::source_region& region, const std::string& name) {
  return fmt::format("{}:{}:{}", name, region.begin.line, region.begin.column);
}

std::string scalar(const toml::node& node, const std::string& name) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return schema::text_of(integer->get());
  if (const auto* number = node.as_floating_point()) return schema::text_of(number->get());
  if (const auto* flag = node.as_boolean()) return schema::text_of(flag->get());
  throw FormatError(place(node.source(), name) +
                    ": only texts, numbers, true, false and lists of them are values here");
}

void flatten(const toml::table& table, const std::string& prefix, const std::string& name,
             Layer layer, std::vector<Given>& out) {
  for (auto&& [key, node] : table) {
    const std::string full = prefix + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      flatten(*inner, full + ".", name, layer, out);
      continue;
    }
    std::string text;
    if (const auto* list = node.as_array()) {
      for (auto&& one : *list) text += (text.empty() ? "" : ",") + scalar(one, name);
    } else {
      text = scalar(node, name);
    }
    out.push_back({full, text, place(key.source(), name), layer});
  }
}

std::string toml_text(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      result += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

}  // namespace

std::vector<Given> parse_toml(std::string_view text, Layer layer, const std::string& name) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw FormatError(place(error.source(), name) + ": " + std::string(error.description()));
  }
  std::vector<Given> given;
  flatten(table, "", name, layer, given);
  return given;
}

std::vector<Given> read_toml(const std::filesystem::path& file, Layer layer, std::string name) {
  if (name.empty()) name = file.string();
  return parse_toml(read_file(file), layer, name);
}

std::string toml_value(const FieldInfo& info, const std::string& text) {
  if (info.type == "text" || info.type == "component") return toml_text(text);
  // TOML tells whole numbers and fractions apart; "1" for a fraction would still read back here,
  // but not in other programs that expect a float.
  if (info.type == "number" && text.find_first_of(".eEn") == std::string::npos) return text + ".0";
  return text;
}

}  // namespace dml
