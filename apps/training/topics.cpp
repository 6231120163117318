#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/common/records.hpp"
#include "apps/training/presets.hpp"
#include "apps/training/schema.hpp"
#include "data/transform.hpp"
#include "dml/distance.hpp"
#include "dml/groups.hpp"
#include "dml/loss.hpp"
#include "dml/metric.hpp"
#include "dml/miner.hpp"
#include "dml/optimizer.hpp"
#include "dml/reducer.hpp"
#include "dml/regularizer.hpp"
#include "dml/sampler.hpp"
#include "dml/schedule.hpp"

namespace dml {
namespace {

/// A kind of component as the help sees it.
struct Kind {
  std::string name, plural;
  std::string place;  ///< in front of its options: "loss", "loss.miner"
  std::function<std::vector<About>()> all;
  std::function<std::pair<About, std::vector<FieldInfo>>(const std::string&)> find;
};

/// @param inside  what it is configured in ("loss."), if it is no part of a run itself.
template <class Base> Kind kind(const std::string& plural, const std::string& inside = {}) {
  return {Base::kind, plural, inside + Base::kind,
          [] {
            std::vector<About> all;
            for (const auto& [name, entry] : Registry<Base>::entries()) all.push_back(entry.about);
            return all;
          },
          [](const std::string& name) {
            const auto& entry = Registry<Base>::find(name);
            return std::pair{entry.about, entry.fields};
          }};
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {kind<Net>("nets"),
                                        kind<Loss>("losses"),
                                        kind<Miner>("miners", "loss."),
                                        kind<Sampler>("samplers"),
                                        kind<Metric>("metrics"),
                                        kind<Dataset>("datasets"),
                                        kind<Optimizer>("optimizers"),
                                        kind<Schedule>("schedules"),
                                        kind<Augment>("augments"),
                                        kind<Transform>("transforms"),
                                        kind<Distance>("distances", "loss."),
                                        kind<Reducer>("reducers", "loss."),
                                        kind<Regularizer>("regularizers", "loss.")};
  return all;
}

const Kind* find_kind(const std::string& word) {
  for (const Kind& one : kinds())
    if (canonical(word) == canonical(one.name) || canonical(word) == canonical(one.plural))
      return &one;
  return nullptr;
}

std::string range_text(const FieldInfo& info) {
  if (!info.choices.empty()) return info.choices;
  const bool low = info.range.low > -1e299, high = info.range.high < 1e299;
  if (info.type == "text" || info.type == "flag" || (!low && !high)) return info.type;
  return fmt::format("{} {}..{}", info.type, low ? schema::text_of(info.range.low) : "",
                     high ? schema::text_of(info.range.high) : "");
}

std::string field_lines(const std::vector<FieldInfo>& fields, const std::string& prefix) {
  std::string text;
  for (const FieldInfo& info : fields)
    text += fmt::format("  {:<32} {}\n  {:<32} {}\n",
                        prefix + info.name + " = " + toml_value(info, info.fallback), info.help, "",
                        range_text(info));
  return text;
}

std::string component_help(const Kind& one, const std::string& name) {
  const auto [about, fields] = one.find(name);
  std::string text = fmt::format("{} '{}': {}\n", one.name, about.name, about.summary);
  if (!about.paper.empty()) text += "  " + about.paper + "\n";
  if (!about.aliases.empty()) {
    text += "  also called";
    for (const std::string& alias : about.aliases) text += " " + alias;
    text += "\n";
  }
  if (!about.details.empty()) text += "\n" + about.details + "\n";
  if (fields.empty()) return text + "\nIt has no options.\n";
  if (one.name == Metric::kind)
    return text +
           fmt::format(
               "\nOptions, as in --metrics {}:{}={} (the first may stand behind @; c_ or e_ "
               "in front of the name asks for cosine or euclidean distance):\n",
               about.name, fields.front().name, fields.front().fallback) +
           field_lines(fields, "");
  return text +
         fmt::format("\nOptions (--set {}.NAME=VALUE, or [{}] in a TOML file):\n", one.place,
                     one.place) +
         field_lines(fields, "");
}

std::string names_text(const Kind& one, bool json) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  const std::vector<About> all = one.all();
  std::size_t width = 0;
  for (const About& about : all) width = std::max(width, about.name.size());
  std::string text;
  for (const About& about : all) {
    list.push_back({{"name", about.name}, {"summary", about.summary}, {"paper", about.paper}});
    text += fmt::format("{:<{}}  {}\n", about.name, width, about.summary);
  }
  return json ? json_text({{one.plural, list}}) : text;
}

std::string preset_text(bool json) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::string text;
  for (const Preset& preset : all_presets()) {
    list.push_back({{"name", preset.name}, {"summary", preset.title}});
    text += fmt::format("{:<32} {}\n", preset.name, preset.title);
  }
  return json ? json_text({{"presets", list}}) : text;
}

}  // namespace

std::vector<std::string> list_words() {
  std::vector<std::string> words;
  for (const Kind& one : kinds()) words.push_back(one.plural);
  words.emplace_back("presets");
  return words;
}

std::string component_list(const std::string& what, bool json) {
  if (canonical(what) == "presets" || canonical(what) == "preset") return preset_text(json);
  if (const Kind* one = find_kind(what)) return names_text(*one, json);
  throw UsageError("--list: nothing is called '" + what + "'" + suggestion(what, list_words()));
}

std::map<std::string, std::vector<std::string>> training_words() {
  std::map<std::string, std::vector<std::string>> words = {{"--list", list_words()}};
  for (const Preset& preset : all_presets()) words["--preset"].push_back(preset.name);
  for (const Kind& one : kinds())
    for (const About& about : one.all()) {
      words["--" + one.name].push_back(about.name);
      words["--help"].push_back(one.name + "=" + about.name);
    }
  words["--metrics"] = words["--select-by"] = words["--metric"];
  return words;
}

std::vector<std::pair<std::string, std::string>> training_manual() {
  std::vector<std::pair<std::string, std::string>> sections = {{"Settings", topic_help("run")},
                                                               {"Head", topic_help("head")}};
  for (const Kind& one : kinds()) {
    std::string text;
    for (const About& about : one.all())
      text += (text.empty() ? "" : "\n") + component_help(one, about.name);
    sections.emplace_back(one.plural, text);
  }
  return sections;
}

std::string topic_help(const std::string& topic) {
  const std::size_t equals = topic.find('=');
  const std::string word = topic.substr(0, equals);
  if (const Kind* one = find_kind(word)) {
    if (equals != std::string::npos) return component_help(*one, topic.substr(equals + 1));
    return fmt::format("{}; --help {}=NAME tells more of one\n\n{}", one->plural, one->name,
                       names_text(*one, false));
  }
  const std::string key = canonical(word);
  if (key == "head" || key == "run") {
    std::vector<FieldInfo> fields;
    for (const FieldInfo& info : training_schema().fields)
      if ((info.name.rfind("head.", 0) == 0) == (key == "head")) fields.push_back(info);
    return "Settings (--set NAME=VALUE, or in a TOML file):\n" + field_lines(fields, "");
  }
  if (key == "groups")
    return "Parameter groups (--set groups.NAME.KEY=VALUE, or [groups.NAME] in a TOML file); "
           "options of the group's optimizer, as its lr, stand beside these:\n" +
           field_lines(describe<GroupOptions>(), "");
  for (const FieldInfo& info : training_schema().fields)
    if (canonical(info.name) == key) return field_lines({info}, "");
  std::vector<std::string> known = {"groups", "head", "run"};
  for (const Kind& one : kinds()) known.push_back(one.name);
  throw UsageError("--help: no topic '" + topic + "'" + suggestion(word, known));
}

}  // namespace dml
