#include "engine/schema.hpp"

#include <charconv>
#include <cmath>
#include <sstream>

#include "engine/names.hpp"

namespace dml::schema {
namespace {

[[noreturn]] void refuse(const FieldInfo& info, const std::string& text,
                         const std::string& wanted) {
  throw UsageError(info.name + ": '" + text + "' is not " + wanted);
}

std::string range_text(const Range& range) {
  const bool low = range.low > -1e299, high = range.high < 1e299;
  if (low && high) return "from " + text_of(range.low) + " to " + text_of(range.high);
  if (low) return "of at least " + text_of(range.low);
  return "of at most " + text_of(range.high);
}

void check_range(const FieldInfo& info, const std::string& text, double value) {
  if (!(value >= info.range.low && value <= info.range.high))
    throw UsageError(info.name + ": " + text + " is out of range; a value " +
                     range_text(info.range) + " is wanted");
}

template <class T> bool parse(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, value);
  return status == std::errc() && stop == end && !text.empty();
}

constexpr const char* name_suffix = ".name";

/// Whether a setting is the nested component of info or one of its options.
bool belongs_to(const FieldInfo& info, const std::string& setting) {
  const std::string stem = info.name.substr(0, info.name.size() - 5);
  return setting == stem || setting.rfind(stem + ".", 0) == 0;
}

bool is_none(const std::string& name) { return name.empty() || canonical(name) == "none"; }

}  // namespace

FieldInfo nested_info(const char* name, const char* help, const Nested& fallback,
                      std::vector<FieldInfo> (*fields)(const std::string&)) {
  FieldInfo info{std::string(name) + name_suffix,
                 "component",
                 is_none(fallback.name) ? "none" : fallback.name,
                 help,
                 {},
                 ""};
  info.nested = [fields, fallback](const std::string& chosen) {
    std::vector<FieldInfo> options;
    if (is_none(chosen)) return options;
    options = fields(chosen);
    if (canonical(chosen) != canonical(fallback.name)) return options;
    for (FieldInfo& option : options) {
      const auto set = fallback.settings.find(option.name);
      if (set != fallback.settings.end()) option.fallback = set->second;
    }
    return options;
  };
  return info;
}

Nested read_nested(const Settings& settings, const std::string& name, const Nested& fallback) {
  Nested result = fallback;
  for (const std::string& key : {name, name + name_suffix}) {
    const auto found = settings.find(key);
    if (found == settings.end() || canonical(found->second) == canonical(fallback.name)) continue;
    result = {is_none(found->second) ? "" : found->second, {}};
  }
  const std::string prefix = name + ".";
  for (const auto& [key, value] : settings)
    if (key.rfind(prefix, 0) == 0 && key != name + name_suffix)
      result.settings[key.substr(prefix.size())] = value;
  return result;
}

void write_nested(const Nested& nested, const std::string& name, Settings& settings) {
  settings[name + name_suffix] = nested.name.empty() ? "none" : nested.name;
  for (const auto& [key, value] : nested.settings) settings[name + "." + key] = value;
}

void assign(const FieldInfo& info, const std::string& text, bool& out) {
  const std::string word = canonical(text);
  if (word == "true" || word == "1" || word == "yes" || word == "on") {
    out = true;
  } else if (word == "false" || word == "0" || word == "no" || word == "off") {
    out = false;
  } else {
    refuse(info, text, "true or false");
  }
}

void assign(const FieldInfo& info, const std::string& text, std::int64_t& out) {
  std::int64_t value = 0;
  if (!parse(text, value)) refuse(info, text, "a whole number");
  check_range(info, text, static_cast<double>(value));
  out = value;
}

void assign(const FieldInfo& info, const std::string& text, double& out) {
  double value = 0;
  if (!parse(text, value) || std::isnan(value)) refuse(info, text, "a number");
  check_range(info, text, value);
  out = value;
}

void assign(const FieldInfo& info, const std::string& text, std::string& out) {
  if (info.choices.empty()) {
    out = text;
    return;
  }
  std::vector<std::string> known;
  std::istringstream list(info.choices);
  for (std::string choice; std::getline(list, choice, '|');) {
    if (canonical(choice) == canonical(text)) {
      out = choice;
      return;
    }
    known.push_back(choice);
  }
  throw UsageError(info.name + ": '" + text + "' is not a choice" + suggestion(text, known));
}

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(std::int64_t value) { return std::to_string(value); }
std::string text_of(const std::string& value) { return value; }
std::string text_of(double value) {
  char buffer[40];
  const auto [end, status] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end};
}

void reject_unknown(const Settings& settings, const std::vector<FieldInfo>& fields) {
  std::vector<std::string> known;
  for (const FieldInfo& info : fields) known.push_back(info.name);
  for (const auto& [name, value] : settings) {
    bool found = false;
    for (const std::string& one : known) found = found || one == name;
    for (const FieldInfo& info : fields) found = found || (info.nested && belongs_to(info, name));
    if (!found) throw UsageError("no option named '" + name + "'" + suggestion(name, known));
  }
}

}  // namespace dml::schema
