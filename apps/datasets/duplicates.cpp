#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/common/interrupt.hpp"
#include "apps/common/records.hpp"
#include "apps/datasets/commands.hpp"
#include "data/check.hpp"
#include "data/near_duplicates.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

/// Two pictures that are one.
struct Twins {
  const Item* first;
  const Item* second;
  bool exact;
  int apart;

  bool across() const { return first->split != second->split; }
};

/// Those across splits first, then equal ones before near ones, then nearer ones.
std::vector<Twins> twins_of(const Manifest& manifest, int most_apart, int threads) {
  const auto item = [&](std::int64_t i) { return &manifest.items[static_cast<std::size_t>(i)]; };
  std::vector<Twins> all;
  std::set<std::pair<std::int64_t, std::int64_t>> exact;
  for (const auto& [first, second] : exact_duplicates(manifest.items, threads)) {
    exact.emplace(first, second);
    all.push_back({item(first), item(second), true, 0});
  }
  for (const AlikePair& pair : near_duplicates(manifest.items, most_apart, threads, keep_going))
    if (!exact.contains({pair.first, pair.second}))
      all.push_back({item(pair.first), item(pair.second), false, pair.apart});
  std::stable_sort(all.begin(), all.end(), [](const Twins& a, const Twins& b) {
    return std::tuple(!a.across(), !a.exact, a.apart) < std::tuple(!b.across(), !b.exact, b.apart);
  });
  return all;
}

std::string csv_of(const std::vector<Twins>& all) {
  std::string text = "kind,distance,first,first_split,second,second_split\n";
  for (const Twins& one : all)
    text += fmt::format("{},{},{},{},{},{}\n", one.exact ? "exact" : "near", one.apart,
                        csv_cell(one.first->file.string()), name_of(one.first->split),
                        csv_cell(one.second->file.string()), name_of(one.second->split));
  return text;
}

}  // namespace

int find_duplicates(const DataOptions& options, const Terminal& terminal) {
  const ReadData data = read_data(options, terminal);
  const int threads = terminal.open_device().threads();
  const std::vector<Twins> all = twins_of(data.manifest, options.most_apart, threads);
  nlohmann::ordered_json json = {{"dataset", data.name},
                                 {"distance", options.most_apart},
                                 {"pairs", nlohmann::ordered_json::array()}};
  std::int64_t exact = 0, across = 0;
  constexpr std::size_t most = 20;
  std::string lines;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Twins& one = all[i];
    exact += one.exact ? 1 : 0;
    across += one.across() ? 1 : 0;
    json["pairs"].push_back({{"kind", one.exact ? "exact" : "near"},
                             {"distance", one.apart},
                             {"across_splits", one.across()},
                             {"first", one.first->file.string()},
                             {"second", one.second->file.string()}});
    if (i < most)
      lines +=
          fmt::format("  {:<6}{:>3}  {} {}\n             {} {}\n", one.exact ? "exact" : "near",
                      one.apart, name_of(one.first->split), printable(one.first->file.string()),
                      name_of(one.second->split), printable(one.second->file.string()));
  }
  if (all.size() > most)
    lines += fmt::format("  and {} more; -o FILE.csv lists all\n", all.size() - most);
  const auto near = std::ssize(all) - exact;
  json["exact"] = exact;
  json["near"] = near;
  json["across_splits"] = across;
  if (!options.output.empty()) write_file_atomically(options.output, csv_of(all));
  terminal.print(terminal.json
                     ? json_text(json)
                     : fmt::format("{}  {} images: {} exact and {} near duplicates, {} pairs "
                                   "across splits\n{}",
                                   data.name, with_commas(std::ssize(data.manifest.items)), exact,
                                   near, across, lines));
  return exit_done;
}

}  // namespace dml
