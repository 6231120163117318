#include "data/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "engine/file.hpp"

namespace dml {

const char* name_of(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::validation:
      return "validation";
    case Split::test:
      return "test";
  }
  return "?";
}

Split split_of(const std::string& name) {
  const std::string word = canonical(name);
  if (word == "train" || word == "training") return Split::train;
  if (word == "validation" || word == "val" || word == "valid") return Split::validation;
  if (word == "test") return Split::test;
  throw UsageError("no split named '" + name + "'" +
                   suggestion(name, {"train", "validation", "test"}));
}

std::vector<Item> Manifest::of(Split split) const {
  std::vector<Item> chosen;
  for (const Item& item : items)
    if (item.split == split) chosen.push_back(item);
  return chosen;
}

Counts Manifest::counts(Split split) const {
  Counts counts;
  std::set<std::int64_t> classes;
  for (const Item& item : items) {
    if (item.split != split) continue;
    ++counts.images;
    classes.insert(item.label);
  }
  counts.classes = static_cast<std::int64_t>(classes.size());
  return counts;
}

Manifest with_validation(Manifest manifest, double fraction) {
  if (!(fraction >= 0 && fraction < 1))
    throw UsageError(fmt::format("--validation-classes must be in [0, 1), found {:g}", fraction));
  if (fraction == 0) return manifest;
  std::set<std::int64_t> labels;
  for (const Item& item : manifest.items)
    if (item.split == Split::train) labels.insert(item.label);
  const auto classes = static_cast<std::int64_t>(labels.size());
  if (classes < 2)
    throw UsageError(
        fmt::format("--validation-classes {:g} needs at least 2 training classes, found {}",
                    fraction, classes));
  const auto wanted = std::llround(fraction * static_cast<double>(classes));
  const std::int64_t taken = std::clamp<std::int64_t>(wanted, 1, classes - 1);
  const std::int64_t first = *std::prev(labels.end(), taken);
  for (Item& item : manifest.items)
    if (item.split == Split::train && item.label >= first) item.split = Split::validation;
  return manifest;
}

std::string fingerprint(const Manifest& manifest) {
  std::string text;
  for (const Item& item : manifest.items) {
    std::error_code missing;
    const auto bytes = std::filesystem::file_size(item.file, missing);
    text += fmt::format("{}\t{}\t{}\t{}\n",
                        item.file.lexically_relative(manifest.root).generic_string(), item.label,
                        name_of(item.split), missing ? 0 : bytes);
  }
  return sha256(std::as_bytes(std::span(text)));
}

}  // namespace dml
