#include "engine/config.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <sstream>

namespace dml {
namespace {

std::string underscored(std::string key) {
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

const ComponentKind* find_kind(const ConfigSchema& schema, const std::string& kind) {
  for (const ComponentKind& component : schema.components)
    if (component.kind == kind) return &component;
  return nullptr;
}

/// Brings keys to their full form: underscores, aliases, `loss` for `loss.name`.
void spell_out(const ConfigSchema& schema, std::vector<Given>& given) {
  for (Given& one : given) {
    one.key = underscored(one.key);
    const auto alias = schema.aliases.find(one.key);
    if (alias != schema.aliases.end()) one.key = alias->second;
    if (find_kind(schema, one.key) != nullptr) one.key += ".name";
  }
  std::stable_sort(given.begin(), given.end(),
                   [](const Given& a, const Given& b) { return a.layer < b.layer; });
}

[[noreturn]] void refuse(const Given& given, const std::string& text) {
  const bool from_file = given.layer == Layer::preset || given.layer == Layer::file;
  throw UsageError(from_file ? given.origin + ": " + text : text);
}

/// The text in the form in which the field's type writes it, checked.
std::string checked(const FieldInfo& info, const std::string& text) {
  if (info.type == "flag") {
    bool value = false;
    schema::assign(info, text, value);
    return schema::text_of(value);
  }
  if (info.type == "integer") {
    std::int64_t value = 0;
    schema::assign(info, text, value);
    return schema::text_of(value);
  }
  if (info.type == "number") {
    double value = 0;
    schema::assign(info, text, value);
    return schema::text_of(value);
  }
  std::string value;
  schema::assign(info, text, value);
  return value;
}

/// The last given value of a key, or null.
const Given* last_of(const std::vector<Given>& given, const std::string& key) {
  const Given* found = nullptr;
  for (const Given& one : given)
    if (one.key == key) found = &one;
  return found;
}

struct Choice {
  std::string name;
  std::string origin;
  Layer since = Layer::fallback;  ///< the layer from which on this component is the selected one
};

Choice choose(const ComponentKind& component, const std::vector<Given>& given) {
  Choice choice{component.fallback, "default", Layer::fallback};
  for (const Given& one : given) {
    if (one.key != component.kind + ".name") continue;
    std::string name;
    try {
      name = component.resolve(one.text);
    } catch (const UsageError& error) {
      refuse(one, error.what() +
                      (component.hint.empty() ? std::string() : "  (" + component.hint + ")"));
    }
    if (name != choice.name) choice.since = one.layer;
    choice.name = name;
    choice.origin = one.origin;
  }
  return choice;
}

Config::Value resolved(const FieldInfo& info, const std::vector<Given>& given, Layer since) {
  Config::Value value{info, info.fallback, "default", Layer::fallback};
  const Given* found = last_of(given, info.name);
  if (found == nullptr || found->layer < since) return value;
  try {
    value.text = checked(info, found->text);
  } catch (const UsageError& error) {
    refuse(*found, error.what());
  }
  value.origin = found->origin;
  value.layer = found->layer;
  return value;
}

/// The options of the nested component that `value` names.
std::vector<FieldInfo> options_of_nested(const FieldInfo& option, const Config::Value& value,
                                         const std::vector<Given>& given) {
  try {
    return option.nested(value.text);
  } catch (const UsageError& error) {
    refuse(*last_of(given, option.name), error.what());
  }
}

/// The near miss of a key that nobody knows.
std::string unknown_key(const ConfigSchema& schema, const std::map<std::string, std::size_t>& known,
                        const std::vector<Config::Value>& values, const std::string& key) {
  const std::size_t dot = key.find('.');
  const ComponentKind* component =
      dot == std::string::npos ? nullptr : find_kind(schema, key.substr(0, dot));
  std::vector<std::string> names;
  if (component != nullptr) {
    const std::string prefix = component->kind + ".";
    for (const auto& [name, index] : known)
      if (name.rfind(prefix, 0) == 0 && name != prefix + "name")
        names.push_back(name.substr(prefix.size()));
    return component->kind + " '" + values[known.at(prefix + "name")].text + "' has no option '" +
           key.substr(dot + 1) + "'" +
           (names.empty() ? std::string("; it has none") : suggestion(key.substr(dot + 1), names));
  }
  for (const auto& [name, index] : known) names.push_back(name);
  for (const auto& [alias, full] : schema.aliases) names.push_back(alias);
  const std::string near = nearest(key, names);
  return "no setting named '" + key + "'" +
         (near.empty() ? std::string() : "; did you mean '" + near + "'?");
}

}  // namespace

Given parse_assignment(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError("--set wants KEY=VALUE, as in --set loss.alpha=16; found '" + text + "'");
  return {text.substr(0, equals), text.substr(equals + 1), "--set " + text, Layer::flag};
}

Config Config::resolve(const ConfigSchema& schema, std::vector<Given> given) {
  spell_out(schema, given);
  Config config;
  std::map<std::string, Layer> since;  // options given below this layer belong to another component
  const std::function<void(const std::string&, const std::vector<FieldInfo>&, Layer)> add_options =
      [&](const std::string& of, const std::vector<FieldInfo>& options, Layer from) {
        for (FieldInfo option : options) {
          option.name = of + "." + option.name;
          if (!option.nested) {
            config.add(resolved(option, given, from));
            continue;
          }
          const std::string stem = option.name.substr(0, option.name.rfind('.'));
          for (Given& one : given)
            if (one.key == stem) one.key = option.name;
          Value value = resolved(option, given, from);
          since[stem] = value.text == option.fallback ? from : value.layer;
          const std::vector<FieldInfo> inner = options_of_nested(option, value, given);
          config.add(std::move(value));
          add_options(stem, inner, since[stem]);
        }
      };
  for (const FieldInfo& info : schema.fields) config.add(resolved(info, given, Layer::fallback));
  for (const ComponentKind& component : schema.components) {
    const Choice choice = choose(component, given);
    if (choice.name.empty())
      throw UsageError("no " + component.kind + " given\n  --" + component.kind +
                       " NAME selects one" +
                       (component.hint.empty() ? "" : "; " + component.hint + " shows them"));
    since[component.kind] = choice.since;
    FieldInfo info{component.kind + ".name", "text", component.fallback, "", {}, ""};
    const bool by_default = choice.origin == "default";
    config.add({info, choice.name, choice.origin, by_default ? Layer::fallback : Layer::flag});
    if (!by_default) config.values_.back().layer = last_of(given, info.name)->layer;
    add_options(component.kind, component.fields(choice.name), choice.since);
  }
  for (const TableKind& table : schema.tables) config.resolve_tables(table, given);
  for (const Given& one : given) {
    if (config.by_key_.count(one.key) != 0) continue;
    const bool dropped = std::any_of(since.begin(), since.end(), [&](const auto& entry) {
      return one.layer < entry.second && one.key.rfind(entry.first + ".", 0) == 0;
    });
    if (dropped) continue;
    refuse(one, unknown_key(schema, config.by_key_, config.values_, one.key));
  }
  return config;
}

void Config::add(Value value) {
  by_key_[value.info.name] = values_.size();
  values_.push_back(std::move(value));
}

/// Takes the keys "kind.name.field", all tables by name and their fields in the order of the kind.
void Config::resolve_tables(const TableKind& table, const std::vector<Given>& given) {
  const std::string prefix = table.kind + ".";
  std::map<std::string, std::map<std::string, const Given*>> found;  // the last one counts
  for (const Given& one : given) {
    if (one.key.rfind(prefix, 0) != 0) continue;
    const std::size_t dot = one.key.rfind('.');
    if (dot <= prefix.size() || dot + 1 == one.key.size())
      refuse(one, "'" + one.key + "': wanted " + prefix + "NAME.OPTION");
    found[one.key.substr(prefix.size(), dot - prefix.size())][one.key.substr(dot + 1)] = &one;
  }
  for (const auto& [name, keys] : found) {
    Settings own;
    for (const auto& [key, one] : keys) own[key] = one->text;
    std::vector<std::string> known;
    std::size_t taken = 0;
    for (FieldInfo info : table.fields(own, *this)) {
      known.push_back(info.name);
      const auto one = keys.find(info.name);
      info.name = prefix + name + "." + info.name;
      if (one == keys.end() || has(info.name)) continue;
      add(resolved(info, given, Layer::fallback));
      ++taken;
    }
    if (taken == keys.size()) continue;
    for (const auto& [key, one] : keys)
      if (!has(prefix + name + "." + key))
        refuse(*one, prefix + name + " has no option '" + key + "'" + suggestion(key, known));
  }
}

std::map<std::string, Settings> Config::tables(const std::string& kind) const {
  std::map<std::string, Settings> all;
  const std::string prefix = kind + ".";
  for (const Value& value : values_) {
    if (value.info.name.rfind(prefix, 0) != 0) continue;
    const std::size_t dot = value.info.name.rfind('.');
    all[value.info.name.substr(prefix.size(), dot - prefix.size())]
       [value.info.name.substr(dot + 1)] = value.text;
  }
  return all;
}

const Config::Value& Config::at(const std::string& key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) throw Error("the configuration has no value '" + key + "'");
  return values_[found->second];
}

std::int64_t Config::integer(const std::string& key) const {
  std::int64_t value = 0;
  schema::assign(at(key).info, text(key), value);
  return value;
}

double Config::number(const std::string& key) const {
  double value = 0;
  schema::assign(at(key).info, text(key), value);
  return value;
}

bool Config::flag(const std::string& key) const {
  bool value = false;
  schema::assign(at(key).info, text(key), value);
  return value;
}

std::vector<std::string> Config::list(const std::string& key) const {
  std::vector<std::string> parts;
  std::istringstream stream(text(key));
  for (std::string part; std::getline(stream, part, ',');)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

Settings Config::settings(const std::string& kind) const {
  Settings result;
  for (const Value& value : values_)
    if (value.layer != Layer::fallback && value.info.name.rfind(kind + ".", 0) == 0)
      result[value.info.name.substr(kind.size() + 1)] = value.text;
  result.erase("name");
  return result;
}

Settings Config::all_settings(const std::string& kind) const {
  Settings result;
  for (const Value& value : values_)
    if (value.info.name.rfind(kind + ".", 0) == 0)
      result[value.info.name.substr(kind.size() + 1)] = value.text;
  result.erase("name");
  return result;
}

std::string Config::write_toml(bool with_origins) const {
  std::string out;
  std::string section;
  for (const Value& value : values_) {
    const std::size_t dot = value.info.name.find('.');
    const std::string table = dot == std::string::npos ? "" : value.info.name.substr(0, dot);
    if (table != section) out += "\n[" + table + "]\n";
    section = table;
    std::string line = value.info.name.substr(dot == std::string::npos ? 0 : dot + 1) + " = " +
                       toml_value(value.info, value.text);
    if (with_origins) {
      line.resize(std::max<std::size_t>(line.size() + 2, 44), ' ');
      line += "# " + value.origin;
    }
    out += line + "\n";
  }
  return out;
}

std::string Config::to_toml() const { return write_toml(false); }
std::string Config::to_annotated_toml() const { return write_toml(true); }

}  // namespace dml
