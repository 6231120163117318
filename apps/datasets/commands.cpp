#include "apps/datasets/commands.hpp"

#include <fmt/format.h>

#include "apps/common/dataset.hpp"
#include "apps/common/records.hpp"
#include "engine/config.hpp"

namespace dml {
namespace {

Settings settings(const DataOptions& options) {
  Settings result;
  for (const std::string& text : options.settings) {
    const Given one = parse_assignment(text);
    if (one.key.rfind("dataset.", 0) != 0)
      throw UsageError("--set: only options of the dataset, as in dataset.train_classes=41");
    result[one.key.substr(8)] = one.text;
  }
  return result;
}

}  // namespace

ReadData read_data(const DataOptions& options, const Terminal& terminal) {
  const std::filesystem::path folder = data_folder(options.folder);
  const auto tell = [&](const std::string& text) { terminal.note(text); };
  ReadData result;
  result.name = Registry<Dataset>::find(options.name).about.name;
  result.manifest = read_dataset(result.name, settings(options), folder, tell);
  result.expected =
      Registry<Dataset>::make(result.name, settings(options), {.root = folder, .notice = {}})
          ->expected();
  return result;
}

/// 59551 as "59,551".
std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

int list_datasets(const Terminal& terminal) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  std::string text;
  for (const auto& [name, entry] : Registry<Dataset>::entries()) {
    json.push_back({{"name", name},
                    {"summary", entry.about.summary},
                    {"paper", entry.about.paper},
                    {"aliases", entry.about.aliases}});
    text += fmt::format("{:<16} {}\n", name, entry.about.summary);
  }
  terminal.print(terminal.json ? json_text({{"datasets", json}}) : text);
  return exit_done;
}

}  // namespace dml
