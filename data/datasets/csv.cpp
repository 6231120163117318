#include "data/datasets/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "data/datasets/listing.hpp"
#include "engine/file.hpp"

namespace dml {
namespace {

namespace fs = std::filesystem;
using Row = std::vector<std::string>;

/// Splits a text into rows of cells; quoted cells may hold commas, quotes ("") and line ends.
std::vector<Row> parse(const std::string& text, const fs::path& file) {
  std::vector<Row> rows;
  Row row;
  std::string cell;
  bool quoted = false, any = false;
  const auto end_row = [&] {
    row.push_back(std::move(cell));
    cell.clear();
    if (any) rows.push_back(std::move(row));
    row.clear();
    any = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        cell += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cell += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = any = true;
    } else if (c == ',') {
      any = true;
      row.push_back(std::move(cell));
      cell.clear();
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      any = true;
      cell += c;
    }
  }
  if (quoted) throw FormatError(file.string() + ": a quote is opened and not closed");
  end_row();
  return rows;
}

/// The columns of a list by their names, and access to the cells of a row.
class Columns {
 public:
  Columns(const Row& head, fs::path file) : file_(std::move(file)) {
    static const std::map<std::string, std::string> aliases{
        {"isquery", "query"}, {"isgallery", "gallery"}, {"file", "path"}, {"class", "label"}};
    for (std::size_t i = 0; i < head.size(); ++i) {
      const std::string name = canonical(head[i]);
      const auto alias = aliases.find(name);
      place_[alias == aliases.end() ? name : alias->second] = i;
    }
    for (const char* needed : {"path", "label"})
      if (!has(needed))
        throw FormatError(
            fmt::format("{}: its first line names no column '{}'\n  wanted: "
                        "path,label[,split][,query][,gallery][,x,y,width,height]",
                        file_.string(), needed));
  }

  bool has(const std::string& name) const { return place_.contains(name); }

  const std::string& text(const Row& row, std::size_t line, const std::string& name) const {
    const std::size_t at = place_.at(name);
    if (at >= row.size())
      throw FormatError(fmt::format("{}: row {} has no cell '{}'", file_.string(), line, name));
    return row[at];
  }

  std::int64_t number(const Row& row, std::size_t line, const std::string& name) const {
    const std::string& cell = text(row, line, name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    const std::string_view rest(end, static_cast<std::size_t>(cell.data() + cell.size() - end));
    if (error != std::errc() || rest.find_first_not_of(".0") != std::string_view::npos)
      throw FormatError(fmt::format("{}: row {}: {} is '{}', a number of pixels is wanted",
                                    file_.string(), line, name, cell));
    return value;
  }

  /// Absent: true. Empty, 0, false, no: false.
  bool flag(const Row& row, std::size_t line, const std::string& name) const {
    if (!has(name)) return true;
    const std::string word = canonical(text(row, line, name));
    return !(word.empty() || word == "0" || word == "false" || word == "no" || word == "0.0");
  }

  Box box(const Row& row, std::size_t line) const {
    const auto get = [&](const char* name) { return number(row, line, name); };
    if (has("x1") && has("x2") && has("y1") && has("y2")) {
      if (text(row, line, "x1").empty()) return {};
      return {get("x1"), get("y1"), get("x2") - get("x1"), get("y2") - get("y1")};
    }
    if (!has("x") || !has("y") || !has("width") || !has("height")) return {};
    if (text(row, line, "width").empty()) return {};
    return {get("x"), get("y"), get("width"), get("height")};
  }

 private:
  std::map<std::string, std::size_t> place_;
  fs::path file_;
};

void split_by_class(Manifest& manifest, const std::vector<std::string>& names,
                    std::int64_t train_classes) {
  const std::set<std::string> sorted(names.begin(), names.end());
  const auto count = static_cast<std::int64_t>(sorted.size());
  const std::int64_t split = listing::train_classes(count, train_classes);
  const std::string& first_test = *std::next(sorted.begin(), split);
  for (std::size_t i = 0; i < names.size(); ++i)
    manifest.items[i].split = names[i] < first_test ? Split::train : Split::test;
}

}  // namespace

void number_classes(Manifest& manifest, const std::vector<std::string>& names) {
  std::map<Split, std::set<std::string>> by_split;
  for (std::size_t i = 0; i < names.size(); ++i) by_split[manifest.items[i].split].insert(names[i]);
  std::map<std::string, std::int64_t> labels;
  for (const auto& [split, classes] : by_split)
    for (const std::string& name : classes)
      if (labels.emplace(name, static_cast<std::int64_t>(labels.size())).second)
        manifest.class_names.push_back(name);
  for (std::size_t i = 0; i < names.size(); ++i) manifest.items[i].label = labels.at(names[i]);
}

Manifest read_csv_manifest(const fs::path& file, std::int64_t train_classes) {
  const std::vector<Row> rows = parse(read_file(file), file);
  if (rows.size() < 2) throw FormatError(file.string() + ": the list names no image");
  const Columns columns(rows[0], file);
  Manifest manifest;
  std::vector<std::string> names;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const Row& row = rows[i];
    Item item{.file = file.parent_path() / columns.text(row, i + 1, "path")};
    names.push_back(columns.text(row, i + 1, "label"));
    if (columns.has("split")) item.split = split_of(columns.text(row, i + 1, "split"));
    item.query = columns.flag(row, i + 1, "query");
    item.gallery = columns.flag(row, i + 1, "gallery");
    item.box = columns.box(row, i + 1);
    manifest.items.push_back(std::move(item));
  }
  if (!columns.has("split")) split_by_class(manifest, names, train_classes);
  number_classes(manifest, names);
  manifest.root = file.parent_path();
  manifest.layout = file.filename().string() + (columns.has("split") ? " (with splits)" : "");
  return manifest;
}

}  // namespace dml
