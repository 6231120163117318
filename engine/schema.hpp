#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "engine/error.hpp"

namespace dml {

/// The range that a number must lie in, ends included.
struct Range {
  double low = -1e300;
  double high = 1e300;
};

/// Values by name, as text; what flags, presets and TOML tables are reduced to.
using Settings = std::map<std::string, std::string>;

/// A component inside another one (the distance of a loss): the name of the chosen one, empty for
/// none, and its options. In settings it is `distance` (or `distance.name`) and `distance.p`.
struct Nested {
  std::string name;
  Settings settings{};
};

/// One hyper-parameter of Options: its name, the member that stores it, its help, its range
/// (numbers) or its choices (text, "a|b|c"). Members may be bool, std::int64_t, double or
/// std::string.
template <class Options, class T> struct Field {
  const char* name;
  T Options::*member;
  const char* help;
  Range range;
  const char* choices;
};

/// A number, flag or free text; for numbers with the range that it must lie in.
template <class Options, class T>
constexpr Field<Options, T> field(const char* name, T Options::*member, const char* help,
                                  Range range = {}) {
  static_assert(std::is_same_v<T, bool> || std::is_same_v<T, std::int64_t> ||
                std::is_same_v<T, double> || std::is_same_v<T, std::string>);
  return {name, member, help, range, nullptr};
}
/// A text that must be one of the choices, "mean|sum|none".
template <class Options>
constexpr Field<Options, std::string> field(const char* name, std::string Options::*member,
                                            const char* help, const char* choices) {
  return {name, member, help, {}, choices};
}

struct FieldInfo;

/// A member of type Nested; see nested() in engine/registry.hpp.
template <class Options> struct NestedField {
  const char* name;
  Nested Options::*member;
  const char* help;
  std::vector<FieldInfo> (*fields)(const std::string& name);  ///< of the component of that name
};

/// A field as help, manual and completion see it.
struct FieldInfo {
  std::string name;
  std::string type;      ///< "flag", "integer", "number", "text", "component"
  std::string fallback;  ///< the default, as text
  std::string help;
  Range range;
  std::string choices;
  /// Type "component", whose name ends in ".name": the options of the component of that name.
  std::function<std::vector<FieldInfo>(const std::string& name)> nested{};
};

namespace schema {

/// The FieldInfo of a nested component; its options show the defaults that the outer one sets.
FieldInfo nested_info(const char* name, const char* help, const Nested& fallback,
                      std::vector<FieldInfo> (*fields)(const std::string&));
/// Converts text to the type of a field and checks range or choices. @throws UsageError.
void assign(const FieldInfo& info, const std::string& text, bool& out);
void assign(const FieldInfo& info, const std::string& text, std::int64_t& out);
void assign(const FieldInfo& info, const std::string& text, double& out);
void assign(const FieldInfo& info, const std::string& text, std::string& out);

/// A value as the shortest text that reads back to it.
std::string text_of(bool value);
std::string text_of(std::int64_t value);
std::string text_of(double value);
std::string text_of(const std::string& value);

/// What help calls a type.
template <class T> constexpr const char* type_name() {
  if constexpr (std::is_same_v<T, bool>) return "flag";
  if constexpr (std::is_same_v<T, std::int64_t>) return "integer";
  if constexpr (std::is_same_v<T, double>) return "number";
  return "text";
}

/// One field of describe, read and write. They are functions of their own, not code within these
/// templates, because a program has a thousand fields.
FieldInfo info(const char* name, const char* type, std::string fallback, const char* help,
               Range range, const char* choices);
void take(const Settings& settings, const FieldInfo& info, bool& out);
void take(const Settings& settings, const FieldInfo& info, std::int64_t& out);
void take(const Settings& settings, const FieldInfo& info, double& out);
void take(const Settings& settings, const FieldInfo& info, std::string& out);
void take(const Settings& settings, const FieldInfo& info, Nested& out);
void put(Settings& settings, const char* name, bool value);
void put(Settings& settings, const char* name, std::int64_t value);
void put(Settings& settings, const char* name, double value);
void put(Settings& settings, const char* name, const std::string& value);
void put(Settings& settings, const char* name, const Nested& value);

/// Throws UsageError for every name in settings that is not among the fields.
void reject_unknown(const Settings& settings, const std::vector<FieldInfo>& fields);

}  // namespace schema

/// The fields of Options with their defaults.
template <class Options> std::vector<FieldInfo> describe() {
  const Options defaults{};
  std::vector<FieldInfo> infos;
  const auto add = [&](const auto& f) {
    using T = std::decay_t<decltype(defaults.*(f.member))>;
    if constexpr (std::is_same_v<T, Nested>)
      infos.push_back(schema::nested_info(f.name, f.help, defaults.*(f.member), f.fields));
    else
      infos.push_back(schema::info(f.name, schema::type_name<T>(),
                                   schema::text_of(defaults.*(f.member)), f.help, f.range,
                                   f.choices));
  };
  std::apply([&](const auto&... f) { (add(f), ...); }, Options::fields);
  return infos;
}

/// Reads Options out of settings. @throws UsageError for unknown names (with the nearest known
/// one), text that is no value of the type, and values out of range.
template <class Options> Options read(const Settings& settings) {
  Options options{};
  const std::vector<FieldInfo> infos = describe<Options>();
  schema::reject_unknown(settings, infos);
  std::size_t next = 0;
  std::apply(
      [&](const auto&... f) { (schema::take(settings, infos[next++], options.*(f.member)), ...); },
      Options::fields);
  return options;
}

/// All values of Options as text; read<Options>(write(options)) gives the same values.
template <class Options> Settings write(const Options& options) {
  Settings settings;
  std::apply([&](const auto&... f) { (schema::put(settings, f.name, options.*(f.member)), ...); },
             Options::fields);
  return settings;
}

}  // namespace dml
