#include "data/datasets/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <sstream>

#include "engine/file.hpp"

namespace dml::listing {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sorted(const fs::path& folder, bool (*wanted)(const fs::directory_entry&)) {
  std::error_code failure;
  fs::directory_iterator entries(folder, failure);
  if (failure)
    throw DataError(
        fmt::format("{}: the folder cannot be read: {}", folder.string(), failure.message()));
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : entries)
    if (wanted(entry)) found.push_back(entry.path());
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
    return a.filename().string() < b.filename().string();
  });
  return found;
}

}  // namespace

bool is_image(const fs::path& file) {
  static constexpr std::array<std::string_view, 9> known{".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                         ".pgm", ".tif",  ".tiff", ".webp"};
  if (file.filename().string().rfind("._", 0) == 0) return false;
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(known.begin(), known.end(), extension) != known.end();
}

std::vector<fs::path> folders(const fs::path& folder) {
  return sorted(folder, [](const fs::directory_entry& entry) {
    return entry.is_directory() && entry.path().filename().string()[0] != '.';
  });
}

std::vector<fs::path> images(const fs::path& folder) {
  return sorted(folder, [](const fs::directory_entry& entry) {
    return is_image(entry.path()) && entry.is_regular_file();
  });
}

std::vector<std::vector<std::string>> table(const fs::path& file, std::size_t words) {
  std::istringstream text(read_file(file));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(text, line);) {
    std::istringstream parts(line);
    std::vector<std::string> row;
    for (std::string word; parts >> word;) row.push_back(word);
    if (row.empty()) continue;
    if (row.size() < words)
      throw FormatError(fmt::format("{}: entry {} has {} word{}, {} are expected", file.string(),
                                    rows.size() + 1, row.size(), row.size() == 1 ? "" : "s",
                                    words));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::int64_t integer(const std::string& text, const fs::path& list, std::size_t row) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw FormatError(
        fmt::format("{}: entry {}: '{}' is not a number", list.string(), row + 1, text));
  return value;
}

void require_inside(const std::string& path, const fs::path& list) {
  const fs::path relative(path);
  const bool leads_out =
      relative.is_absolute() || std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (leads_out)
    throw FormatError(fmt::format("{}: '{}' leads out of the folder", list.string(), path));
}

void require_files(const Manifest& manifest, const std::string& dataset, const fs::path& list) {
  std::int64_t missing = 0;
  fs::path first;
  for (const Item& item : manifest.items) {
    if (fs::exists(item.file)) continue;
    if (missing++ == 0) first = item.file;
  }
  if (missing == 0) return;
  throw DataError(fmt::format(
      "{}: {} images are named in {}, {} of them are missing\n  the first: {}\n  unpack the "
      "archive again",
      dataset, manifest.items.size(), list.string(), missing, first.string()));
}

std::map<std::int64_t, std::int64_t> ranks(const std::vector<std::int64_t>& keys) {
  std::map<std::int64_t, std::int64_t> rank;
  for (const std::int64_t key : keys) rank[key] = 0;
  std::int64_t next = 0;
  for (auto& [key, value] : rank) value = next++;
  return rank;
}

std::optional<fs::path> first_existing(const fs::path& root,
                                       std::initializer_list<const char*> places) {
  for (const char* place : places) {
    const fs::path candidate = *place == 0 ? root : root / place;
    if (fs::exists(candidate)) return candidate;
  }
  return std::nullopt;
}

Manifest class_folders(const fs::path& folder, const std::string& dataset, std::int64_t train) {
  Manifest manifest;
  for (const fs::path& one : folders(folder)) {
    const std::vector<fs::path> files = images(one);
    if (files.empty()) continue;
    for (const fs::path& file : files)
      manifest.items.push_back(
          {.file = file, .label = static_cast<std::int64_t>(manifest.class_names.size())});
    manifest.class_names.push_back(one.filename().string());
  }
  const auto found = static_cast<std::int64_t>(manifest.class_names.size());
  if (found < 2)
    throw DataError(
        fmt::format("{}: {} holds {} folder{} of images; at least two are needed\n  "
                    "unpack the archive again",
                    dataset, folder.string(), found, found == 1 ? "" : "s"));
  const std::int64_t trains = train_classes(found, train);
  for (Item& item : manifest.items) item.split = item.label < trains ? Split::train : Split::test;
  manifest.root = folder;
  manifest.layout = folder.filename().string() + "/CLASS/image";
  return manifest;
}

std::int64_t train_classes(std::int64_t classes, std::int64_t wanted) {
  const std::int64_t chosen = wanted == 0 ? (classes + 1) / 2 : wanted;
  if (chosen >= classes)
    throw UsageError(fmt::format(
        "{} of {} classes would train and none would be left for the test\n  choose train_classes "
        "below {}",
        chosen, classes, classes));
  return chosen;
}

}  // namespace dml::listing
