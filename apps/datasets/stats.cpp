#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "apps/common/interrupt.hpp"
#include "apps/common/records.hpp"
#include "apps/datasets/commands.hpp"
#include "data/check.hpp"

namespace dml {
namespace {

using Json = nlohmann::ordered_json;

/// Smallest, median, largest and mean of some numbers.
struct Spread {
  std::int64_t least = 0, median = 0, most = 0;
  double mean = 0;
};

Spread spread_of(std::vector<std::int64_t> numbers) {
  if (numbers.empty()) return {};
  std::sort(numbers.begin(), numbers.end());
  double sum = 0;
  for (const std::int64_t number : numbers) sum += static_cast<double>(number);
  return {numbers.front(), numbers[(numbers.size() - 1) / 2], numbers.back(),
          sum / static_cast<double>(numbers.size())};
}

}  // namespace

int print_dataset_stats(const DataOptions& options, const Terminal& terminal) {
  const ReadData data = read_data(options, terminal);
  const ImageCheck check =
      check_images(data.manifest.items, false, terminal.open_device().threads(), keep_going);
  Json json = {{"dataset", data.name}, {"root", data.manifest.root.string()}};
  std::string text =
      fmt::format("{:<34}{:>9}{:>9}{:>9}{:>11}\n", data.name, "least", "median", "most", "mean");
  const auto add = [&](Split split, const std::string& what, const std::string& key,
                       std::vector<std::int64_t> numbers) {
    const Spread s = spread_of(std::move(numbers));
    text +=
        fmt::format("  {:<32}{:>9}{:>9}{:>9}{:>11.1f}\n",
                    fmt::format("{}: {}", name_of(split), what), s.least, s.median, s.most, s.mean);
    json["splits"][name_of(split)][key] = {
        {"least", s.least}, {"median", s.median}, {"most", s.most}, {"mean", s.mean}};
  };
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    std::map<std::int64_t, std::int64_t> per_class;
    std::vector<std::int64_t> widths, heights, sizes;
    for (std::size_t i = 0; i < data.manifest.items.size(); ++i) {
      if (data.manifest.items[i].split != split) continue;
      ++per_class[data.manifest.items[i].label];
      if (check.sizes[i] == Size{}) continue;  // cannot be read
      widths.push_back(check.sizes[i].width);
      heights.push_back(check.sizes[i].height);
    }
    if (per_class.empty()) continue;
    for (const auto& [label, images] : per_class) sizes.push_back(images);
    json["splits"][name_of(split)] = {{"images", data.manifest.counts(split).images},
                                      {"classes", per_class.size()}};
    add(split, "images of a class", "images_per_class", std::move(sizes));
    add(split, "width, pixels", "width", std::move(widths));
    add(split, "height, pixels", "height", std::move(heights));
  }
  json["unreadable"] = check.unreadable.size();
  if (!check.unreadable.empty())
    text += fmt::format("  {} images cannot be read; dmldata verify names them\n",
                        check.unreadable.size());
  terminal.print(terminal.json ? json_text(json) : text);
  return exit_done;
}

}  // namespace dml
