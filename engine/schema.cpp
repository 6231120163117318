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

/// The member's name in a nested component's "NAME.name".
std::string stem_of(const FieldInfo& info) { return info.name.substr(0, info.name.size() - 5); }

/// Whether a setting is the nested component of info or one of its options.
bool belongs_to(const FieldInfo& info, const std::string& setting) {
  const std::string stem = stem_of(info);
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

FieldInfo info(const char* name, const char* type, std::string fallback, const char* help,
               Range range, const char* choices) {
  return {name, type, std::move(fallback), help, range, choices == nullptr ? "" : choices};
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

namespace {

template <class T> void take_value(const Settings& settings, const FieldInfo& info, T& out) {
  const auto found = settings.find(info.name);
  if (found != settings.end()) assign(info, found->second, out);
}

}  // namespace

void take(const Settings& settings, const FieldInfo& info, bool& out) {
  take_value(settings, info, out);
}
void take(const Settings& settings, const FieldInfo& info, std::int64_t& out) {
  take_value(settings, info, out);
}
void take(const Settings& settings, const FieldInfo& info, double& out) {
  take_value(settings, info, out);
}
void take(const Settings& settings, const FieldInfo& info, std::string& out) {
  take_value(settings, info, out);
}

// Options that the fallback sets hold while its component stays the chosen one.
void take(const Settings& settings, const FieldInfo& info, Nested& out) {
  const std::string name = stem_of(info), fallback = out.name;
  for (const std::string& key : {name, info.name}) {
    const auto found = settings.find(key);
    if (found == settings.end() || canonical(found->second) == canonical(fallback)) continue;
    out = {is_none(found->second) ? "" : found->second, {}};
  }
  const std::string prefix = name + ".";
  for (const auto& [key, value] : settings)
    if (key.rfind(prefix, 0) == 0 && key != info.name)
      out.settings[key.substr(prefix.size())] = value;
}

void put(Settings& settings, const char* name, bool value) { settings[name] = text_of(value); }
void put(Settings& settings, const char* name, std::int64_t value) {
  settings[name] = text_of(value);
}
void put(Settings& settings, const char* name, double value) { settings[name] = text_of(value); }
void put(Settings& settings, const char* name, const std::string& value) { settings[name] = value; }
void put(Settings& settings, const char* name, const Nested& value) {
  settings[std::string(name) + name_suffix] = value.name.empty() ? "none" : value.name;
  for (const auto& [key, text] : value.settings) settings[std::string(name) + "." + key] = text;
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
