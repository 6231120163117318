#include "apps/training/flags.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "apps/training/schema.hpp"
#include "data/dataset.hpp"
#include "engine/names.hpp"

namespace dml {
namespace {

std::string hyphened(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

std::string short_form(const std::string& key) {
  if (key == "batch_size") return "-b,";
  if (key == "workers") return "-j,";
  return "";
}

std::string value_name(const FieldInfo& info) {
  if (!info.choices.empty()) {
    std::string list = info.choices;
    std::replace(list.begin(), list.end(), '|', ',');
    return "{" + list + "}";
  }
  if (info.type == "flag") return "";
  if (info.type == "integer") return "N";
  if (info.type == "number") return "X";
  return info.name == "weights"    ? "FILE"
         : info.name == "data_dir" ? "DIR"
         : info.name == "metrics"  ? "LIST"
                                   : "NAME";
}

/// Flags of earlier programs, and what they are called here.
struct Old {
  const char* spelling;
  const char* key;
};
constexpr std::array old_flags = {Old{"--model", "net"},
                                  Old{"--arch", "net"},
                                  Old{"--bs", "batch_size"},
                                  Old{"--sz-embedding", "embedding_dim"},
                                  Old{"--embed_dim", "embedding_dim"},
                                  Old{"--nb-epochs", "epochs"},
                                  Old{"--n_epochs", "epochs"},
                                  Old{"--IPC", "images_per_class"},
                                  Old{"--warm", "freeze_net_epochs"},
                                  Old{"--sz-batch", "batch_size"},
                                  Old{"--bn-freeze", "freeze_batch_norm"}};

/// Flags that need no value: --x is --x=true, and there is --no-x.
bool is_switch(const std::string& key) {
  return key == "freeze_batch_norm" || flag_info(key).type == "flag";
}

std::string negated(const std::string& key) { return "--no-" + hyphened(key).substr(2); }

/// What a dataset is called here, if that is another name than the given one; else "".
std::string registered_dataset(const std::string& given) {
  try {
    const std::string name = Registry<Dataset>::find(given).about.name;
    return canonical(name) == canonical(given) ? "" : name;
  } catch (const UsageError&) {
    return "";  // resolving says so, with its origin
  }
}

}  // namespace

void TrainFlags::add_to(CLI::App& app) {
  app_ = &app;
  app.add_option("--preset", preset, "a published experiment, METHOD/DATASET (--list presets)")
      ->type_name("NAME");
  app.add_option("-c,--config", config_file,
                 "settings from a TOML file; config.toml of a run repeats it")
      ->type_name("FILE");
  app.add_option("--set", assignments, "any setting, as in --set loss.temperature=30")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  add_settings(app);
  const std::string output_group = "Output";
  app.add_option("-o,--output", output, "folder of the run; runs/NAME without")
      ->type_name("DIR")
      ->group(output_group);
  app.add_option("--name", name, "name of the run")->type_name("NAME")->group(output_group);
  resume_option_ =
      app.add_option("--resume", resume_, "go on with the run: last, best, or a checkpoint")
          ->expected(0, 1)
          ->type_name("[last|best|FILE]")
          ->group(output_group);
  app.add_flag("--overwrite,!--no-overwrite", overwrite, "replace the run that is in the folder")
      ->group(output_group);
  app.add_option("--progress", progress, "bar on a terminal, lines elsewhere, json, none")
      ->type_name("{auto,bar,lines,json,none}")
      ->group(output_group);
  app.add_flag("--dry-run,!--no-dry-run", dry_run,
               "build and check everything, train nothing, write nothing")
      ->group("Look");
  app.add_flag("--print-config,!--no-print-config", print_config,
               "all settings and where each comes from")
      ->group("Look");
  app.add_option("--list", list, "names of what there is")
      ->type_name("{" + fmt::format("{}", fmt::join(list_words(), ",")) + "}")
      ->group("Look");
  add_old_names(app);
}

void TrainFlags::add_settings(CLI::App& app) {
  for (const FlagGroup& group : training_flags())
    for (const std::string& key : group.fields) {
      const FieldInfo info = flag_info(key);
      Flag& flag = flags_[key];
      flag.key = key;
      flag.spelling = hyphened(key);
      flag.option = app.add_option(short_form(key) + flag.spelling, flag.value, info.help)
                        ->type_name(value_name(info))
                        ->group(group.title);
      if (is_switch(key)) {
        // CLI11 takes a default for the value of a flag without one: --x would mean "false".
        flag.option->expected(0, 1)->description(info.help + " [" + info.fallback + "]");
        add_negative(app, key, group.title);
      } else if (!info.fallback.empty() && info.fallback != "none") {
        flag.option->default_str(info.fallback);
      }
    }
  app.add_flag("--deterministic,!--no-deterministic", deterministic_,
               "every run repeats bit for bit, with or without it")
      ->group("How");
}

/// --no-x beside --x.
void TrainFlags::add_negative(CLI::App& app, const std::string& key, const std::string& group) {
  Negative& flag = negative_[key];
  flag.option = app.add_flag(negated(key), flag.given, "the same as " + hyphened(key) + "=false")
                    ->group(group);
}

void TrainFlags::add_old_names(CLI::App& app) {
  for (const Old& old : old_flags) {
    auto flag = std::make_unique<OldFlag>();
    flag->spelling = old.spelling;
    flag->key = old.key;
    flag->now = hyphened(old.key);
    flag->option = app.add_option(flag->spelling, flag->value)->group("");
    if (is_switch(flag->key)) flag->option->expected(0, 1);
    old_.push_back(std::move(flag));
  }
  app.add_option("--gpu-id,--gpu_id", gpu_id_)->group("");
}

std::string TrainFlags::device() const {
  if (gpu_id_.empty()) return "";
  return gpu_id_[0] == '-' ? "cuda" : "cuda:" + gpu_id_;  // -1 meant all of them
}

std::optional<std::string> TrainFlags::resume() const {
  if (resume_option_ == nullptr || resume_option_->count() == 0) return std::nullopt;
  return resume_.empty() ? "last" : resume_;
}

std::vector<Given> TrainFlags::given() const {
  std::vector<Given> all;
  const auto add = [&](const std::string& key, const std::string& spelling, std::string value) {
    if (value.empty() && is_switch(key)) value = "true";
    if (key == "freeze_batch_norm" && (value == "0" || value == "1"))
      value = value == "1" ? "true" : "false";
    all.push_back({key, value, spelling + " " + value, Layer::flag});
  };
  if (app_ == nullptr) return all;
  for (const CLI::Option* option : app_->parse_order()) {
    for (const auto& flag : old_)
      if (flag->option == option) add(flag->key, flag->spelling, flag->value);
    for (const auto& [key, flag] : flags_)
      if (flag.option == option) add(key, flag.spelling, flag.value);
    for (const auto& [key, flag] : negative_)
      if (flag.option == option && flag.given) add(key, negated(key), "false");
  }
  for (const std::string& text : assignments) all.push_back(parse_assignment(text));
  return all;
}

std::vector<std::string> TrainFlags::old_names() const {
  std::vector<std::string> notes;
  for (const auto& flag : old_)
    if (flag->option->count() > 0)
      notes.push_back(flag->spelling + " is called " + flag->now + " here");
  const auto dataset = flags_.find("dataset");
  if (dataset != flags_.end() && dataset->second.option->count() > 0)
    if (const std::string name = registered_dataset(dataset->second.value); !name.empty())
      notes.push_back("--dataset " + dataset->second.value + " is called --dataset " + name +
                      " here");
  if (!gpu_id_.empty()) notes.push_back("--gpu-id is called --device " + device() + " here");
  return notes;
}

}  // namespace dml
