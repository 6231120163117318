#include "apps/datasets/manifest_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/records.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;

/// Seen from the folder of the list, if it lies below it.
std::string path_from(const fs::path& folder, const fs::path& file) {
  const fs::path whole = fs::absolute(file).lexically_normal();
  const fs::path inner = whole.lexically_relative(folder);
  return inner.empty() || *inner.begin() == ".." ? whole.string() : inner.generic_string();
}

}  // namespace

std::string manifest_csv(const Manifest& manifest, const fs::path& file) {
  const auto any = [&](auto what) {
    return std::any_of(manifest.items.begin(), manifest.items.end(), what);
  };
  const bool parts = any([](const Item& item) { return !item.query || !item.gallery; });
  const bool boxes = any([](const Item& item) { return !item.box.empty(); });
  const fs::path folder = fs::absolute(file).lexically_normal().parent_path();
  std::string text = "path,label,split";
  text += std::string(parts ? ",query,gallery" : "") + (boxes ? ",x,y,width,height" : "") + "\n";
  for (const Item& item : manifest.items) {
    text += csv_cell(path_from(folder, item.file)) + "," +
            csv_cell(manifest.class_names.at(static_cast<std::size_t>(item.label))) + "," +
            name_of(item.split);
    if (parts) text += fmt::format(",{:d},{:d}", item.query, item.gallery);
    const Box& box = item.box;
    if (boxes)
      text += box.empty() ? std::string(",,,,")
                          : fmt::format(",{},{},{},{}", box.left, box.top, box.width, box.height);
    text += "\n";
  }
  return text;
}

}  // namespace dml
