#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/config.hpp"

namespace dml {

/// A group of settings in the help of dmltrain.
struct FlagGroup {
  std::string title;                ///< "what", "data", "how", "output"
  std::vector<std::string> fields;  ///< keys; flags are the same with hyphens
};

/// Everything that configures a training: the same names as flags (with hyphens) and as TOML keys.
const ConfigSchema& training_schema();

/// The settings that are flags of their own, by group. All others are reached by --set.
const std::vector<FlagGroup>& training_flags();

/// What a flag is called and means, from the schema: for "lr" the field "optimizer.lr" of any
/// optimizer is meant, so text and range are general.
FieldInfo flag_info(const std::string& key);

/// Makes one number of another where the user gave the former alone: --batch-size 54 with 9 images
/// of each class means 6 classes.
Config resolve_training(std::vector<Given> given);

/// The text of `--help TOPIC`: "loss=group", "net=resnet50", "optimizer", "groups", or the name of
/// a setting.
/// @throws UsageError for unknown topics.
std::string topic_help(const std::string& topic);

/// The text of `--list WHAT` ("losses"). @throws UsageError for unknown words.
std::string component_list(const std::string& what, bool json);

/// All settings and all components with their options, for the manual: heading and text.
std::vector<std::pair<std::string, std::string>> training_manual();

/// What completion offers behind the flags of dmltrain.
std::map<std::string, std::vector<std::string>> training_words();

/// The words that --list knows.
std::vector<std::string> list_words();

}  // namespace dml
