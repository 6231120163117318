#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/registry.hpp"

namespace dml {

/// Who gave a value, in rising order of precedence.
enum class Layer : std::uint8_t { fallback, preset, file, flag };

class Config;

/// A value as its source gave it, not yet checked. Keys are dotted ("loss.alpha"); hyphens and
/// underscores are the same.
struct Given {
  std::string key;
  std::string text;
  std::string origin;  ///< the place in words: "runs/a/config.toml:3:8", "--set loss.alpha=16"
  Layer layer = Layer::flag;
};

/// All values of a TOML file under dotted keys; lists become texts with commas.
/// @param name  of the source in messages; empty takes the path.
/// @throws FormatError with line and column, DataError when the file cannot be read.
std::vector<Given> read_toml(const std::filesystem::path& file, Layer layer, std::string name = {});
/// The same from text.
std::vector<Given> parse_toml(std::string_view text, Layer layer, const std::string& name);

/// "loss.alpha=16" as given to --set. @throws UsageError without '='.
Given parse_assignment(const std::string& text);

/// A value as TOML writes it: texts quoted, numbers and flags bare.
std::string toml_value(const FieldInfo& info, const std::string& text);

/// A part of a run that is selected by name and has options of its own: `loss.name`, `loss.alpha`.
struct ComponentKind {
  std::string kind;      ///< "loss"
  std::string fallback;  ///< the name where none is given; may be empty: then one must be given
  /// Any spelling of a name to the registered one. @throws UsageError for unknown names.
  std::function<std::string(const std::string& name)> resolve;
  /// The options of the component of that name.
  std::function<std::vector<FieldInfo>(const std::string& name)> fields;
  std::string hint{};  ///< what shows all names: "dmltrain --list losses"
};

/// The kind of everything in Registry<Base>.
template <class Base>
ComponentKind component_kind(std::string fallback = {}, std::string hint = {}) {
  return {Base::kind, std::move(fallback),
          [](const std::string& name) { return Registry<Base>::find(name).about.name; },
          [](const std::string& name) { return Registry<Base>::find(name).fields; },
          std::move(hint)};
}

/// A kind of table of which a run may have any number, each with a name that the user chooses:
/// `groups.proxies.lr`.
struct TableKind {
  std::string kind;  ///< "groups"
  /// The keys that a table may have. @param own  what it says already, by key.
  std::function<std::vector<FieldInfo>(const Settings& own, const Config& config)> fields;
};

/// Everything that may be configured.
struct ConfigSchema {
  std::vector<FieldInfo> fields;  ///< values outside components: "batch_size"
  std::vector<ComponentKind> components;
  std::vector<TableKind> tables{};
  std::map<std::string, std::string> aliases;  ///< short keys: "lr" means "optimizer.lr"
};

/// One configuration in which every value is known, checked, and says where it came from.
class Config {
 public:
  struct Value {
    FieldInfo info;      ///< with the full key as name
    std::string text;    ///< in the form that schema::text_of gives
    std::string origin;  ///< "default", "preset group-loss/cub200", "a.toml:3:8", "--lr"
    Layer layer = Layer::fallback;
  };

  /// Resolves defaults < preset < file < flags; within a layer the last value of a key counts.
  /// `loss = "group"` means `loss.name`. Where a higher layer selects another component, the
  /// options that lower layers gave to the former one are dropped.
  /// @throws UsageError, with the origin, for unknown keys (and the nearest known one), values that
  /// do not fit, and components without a name.
  static Config resolve(const ConfigSchema& schema, std::vector<Given> given);

  /// The value of a key. @throws Error for keys that the schema has not: a fault of the caller.
  const Value& at(const std::string& key) const;
  const std::string& text(const std::string& key) const { return at(key).text; }
  std::int64_t integer(const std::string& key) const;
  double number(const std::string& key) const;
  bool flag(const std::string& key) const;
  /// A text with commas as its parts.
  std::vector<std::string> list(const std::string& key) const;
  /// Whether something other than the default gave the value.
  bool given(const std::string& key) const { return at(key).layer != Layer::fallback; }

  /// The name of the selected component of a kind.
  const std::string& name(const std::string& kind) const { return text(kind + ".name"); }
  /// Its options that were given; all others keep their defaults.
  Settings settings(const std::string& kind) const;
  /// All its options.
  Settings all_settings(const std::string& kind) const;

  /// The tables of a kind by name, with what they say.
  std::map<std::string, Settings> tables(const std::string& kind) const;
  /// Whether there is a value of that key.
  bool has(const std::string& key) const { return by_key_.count(key) != 0; }

  /// All values in the order of the schema.
  const std::vector<Value>& values() const { return values_; }

  /// A TOML file that resolves to this configuration again.
  std::string to_toml() const;
  /// The same with the origin of each value beside it.
  std::string to_annotated_toml() const;

 private:
  void add(Value value);
  void resolve_tables(const TableKind& table, const std::vector<Given>& given);
  std::string write_toml(bool with_origins) const;

  std::vector<Value> values_;
  std::map<std::string, std::size_t> by_key_;
};

}  // namespace dml
