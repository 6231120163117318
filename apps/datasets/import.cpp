#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <set>

#include "apps/common/records.hpp"
#include "apps/datasets/commands.hpp"
#include "apps/datasets/manifest_file.hpp"
#include "engine/file.hpp"
#include "engine/names.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// The share in "class:0.5".
double class_share(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string number = colon == std::string::npos ? "" : text.substr(colon + 1);
  double share = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), share);
  const bool whole = error == std::errc() && end == number.data() + number.size();
  if (canonical(text.substr(0, colon)) != "class" || !whole || !(share > 0 && share < 1))
    throw UsageError("--split-by wants class:SHARE with a share between 0 and 1, as class:0.5; '" +
                     text + "' was given");
  return share;
}

/// The first classes by name train, the others test. At least one is on each side.
void split_by_class(Manifest& manifest, double share) {
  const std::set<std::string> names(manifest.class_names.begin(), manifest.class_names.end());
  const auto classes = static_cast<std::int64_t>(names.size());
  if (classes < 2)
    throw UsageError(fmt::format("--split-by class wants two classes at least, found {}", classes));
  const auto wanted =
      static_cast<std::int64_t>(std::ceil(share * static_cast<double>(classes) - 1e-9));
  const std::string& first_test = *std::next(names.begin(), std::min(wanted, classes - 1));
  for (Item& item : manifest.items)
    item.split = manifest.class_names[static_cast<std::size_t>(item.label)] < first_test
                     ? Split::train
                     : Split::test;
}

}  // namespace

int import_images(const DataOptions& options, const Terminal& terminal) {
  if (options.output.empty())
    throw UsageError("import wants -o MANIFEST.csv, the list to write  (dmldata import --help)");
  const fs::path output = options.output;
  std::error_code none;
  if (fs::equivalent(output, options.input, none))
    throw UsageError(options.input + ": would be written over itself; name another file with -o");
  Manifest manifest =
      Registry<Dataset>::make("folder", {}, {.root = fs::path(options.input)})->read();
  if (!options.split_by.empty()) split_by_class(manifest, class_share(options.split_by));
  write_file_atomically(output, manifest_csv(manifest, output));
  nlohmann::ordered_json json = {{"output", output.string()},
                                 {"layout", manifest.layout},
                                 {"images", manifest.items.size()},
                                 {"classes", manifest.class_names.size()}};
  std::string text = fmt::format("{}: {} images of {} classes, from {}\n", output.string(),
                                 with_commas(std::ssize(manifest.items)),
                                 with_commas(std::ssize(manifest.class_names)), manifest.layout);
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    const Counts counts = manifest.counts(split);
    if (counts.images == 0) continue;
    json["splits"][name_of(split)] = {{"images", counts.images}, {"classes", counts.classes}};
    text += fmt::format("  {:<10} {} images, {} classes\n", name_of(split),
                        with_commas(counts.images), with_commas(counts.classes));
  }
  text += fmt::format("  dmltrain --dataset folder --data-dir {} trains on it\n", output.string());
  terminal.print(terminal.json ? json_text(json) : text);
  return exit_done;
}

}  // namespace dml
