#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "apps/common/records.hpp"
#include "apps/datasets/commands.hpp"
#include "apps/datasets/manifest_file.hpp"
#include "engine/file.hpp"
#include "engine/random.hpp"

namespace dml {
namespace {

/// Items at random, or equally many of classes at random; in the order of the dataset.
std::vector<std::size_t> choose(const Manifest& manifest, const DataOptions& options) {
  RandomSequence random(Random(static_cast<std::uint64_t>(options.seed), Purpose::shuffle));
  const auto count = static_cast<std::size_t>(options.count);
  std::vector<std::size_t> all(manifest.items.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  random.shuffle(all);
  if (options.images_per_class > 0) {
    const auto each = static_cast<std::size_t>(options.images_per_class);
    std::map<std::int64_t, std::vector<std::size_t>> by_class;
    for (const std::size_t i : all) by_class[manifest.items[i].label].push_back(i);
    std::vector<std::int64_t> classes;
    for (const auto& [label, items] : by_class)
      if (items.size() >= each) classes.push_back(label);
    random.shuffle(classes);
    all.clear();
    for (const std::int64_t label : classes) {
      if (all.size() + each > count) break;
      const auto begin = by_class[label].begin();
      all.insert(all.end(), begin, begin + static_cast<std::ptrdiff_t>(each));
    }
  }
  all.resize(std::min(all.size(), count));
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

int sample_dataset(const DataOptions& options, const Terminal& terminal) {
  const ReadData data = read_data(options, terminal);
  const std::int64_t each = options.images_per_class;
  if (each > 0 && options.count % each != 0)
    throw UsageError(
        fmt::format("sample: {} images are no multiple of {} of each class", options.count, each));
  Manifest chosen = data.manifest;
  chosen.items.clear();
  for (const std::size_t i : choose(data.manifest, options))
    chosen.items.push_back(data.manifest.items[i]);
  if (std::ssize(chosen.items) < options.count)
    terminal.note(
        fmt::format("{} has only {} images to choose from", data.name, chosen.items.size()));
  nlohmann::ordered_json json = {
      {"dataset", data.name}, {"seed", options.seed}, {"images", nlohmann::ordered_json::array()}};
  std::string text;
  for (const Item& item : chosen.items) {
    const std::string& label = chosen.class_names.at(static_cast<std::size_t>(item.label));
    json["images"].push_back(
        {{"path", item.file.string()}, {"label", label}, {"split", name_of(item.split)}});
    text += fmt::format("{}  {}  {}\n", printable(item.file.string()), printable(label),
                        name_of(item.split));
  }
  if (!options.output.empty()) {
    write_file_atomically(options.output, manifest_csv(chosen, options.output));
    json["output"] = options.output;
  }
  terminal.print(terminal.json ? json_text(json) : text);
  return exit_done;
}

}  // namespace dml
