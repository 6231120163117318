#include "data/datasets/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
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

std::vector<std::vector<std::string>> table(const fs::path& file) {
  std::istringstream text(read_file(file));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::vector<std::string> row;
    for (std::string word; words >> word;) row.push_back(word);
    if (!row.empty()) rows.push_back(std::move(row));
  }
  return rows;
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
