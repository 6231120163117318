#include "apps/evaluation/embedding_files.hpp"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <sstream>

#include "engine/file.hpp"
#include "engine/names.hpp"
#include "engine/npy.hpp"

namespace dml {
namespace {

/// What a line of a text file means, or nothing.
using Meaning = std::function<std::optional<std::int64_t>(const std::string& line)>;

std::optional<std::int64_t> whole_number(const std::string& line) {
  std::int64_t value = 0;
  const char* last = line.data() + line.size();
  const auto [end, status] = std::from_chars(line.data(), last, value);
  return status == std::errc() && end == last ? std::optional(value) : std::nullopt;
}

/// The numbers of a .npy file, or of the lines of a text. Empty lines are passed over.
/// @param wanted  what a line should be, for the error.
std::vector<std::int64_t> read_numbers(const std::filesystem::path& file, const Meaning& meaning,
                                       const char* wanted) {
  std::vector<std::int64_t> numbers;
  if (file.extension() == ".npy") {
    const Tensor tensor = read_npy(file).to(DType::i64);
    for (const std::int64_t one : tensor.data<std::int64_t>()) numbers.push_back(one);
    return numbers;
  }
  std::istringstream lines(read_file(file));
  std::int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = trimmed(line);
    if (line.empty()) continue;
    const auto value = meaning(line);
    if (!value)
      throw FormatError(fmt::format("{}:{}: '{}' is not {}", file.string(), number, line, wanted));
    numbers.push_back(*value);
  }
  return numbers;
}

std::vector<std::int64_t> read_labels(const std::filesystem::path& file) {
  return read_numbers(file, whole_number, "a whole number");
}

Tensor read_embeddings(const std::string& file) {
  const Tensor embeddings = read_npy(file);
  if (embeddings.rank() != 2)
    throw FormatError(fmt::format("{}: embeddings are [images, size], found {}", file,
                                  to_string(embeddings.shape())));
  return embeddings.dtype() == DType::f64 ? embeddings : embeddings.to(DType::f32);
}

struct Labelled {
  Tensor embeddings;
  std::vector<std::int64_t> labels;
};

Labelled read_labelled(const std::string& embeddings, const std::string& labels) {
  Labelled found{read_embeddings(embeddings), read_labels(labels)};
  if (std::ssize(found.labels) != found.embeddings.dim(0))
    throw DataError(fmt::format("{} has {} rows, {} has {} labels", embeddings,
                                found.embeddings.dim(0), labels, found.labels.size()));
  if (found.labels.empty()) throw DataError(embeddings + " holds no embedding");
  return found;
}

}  // namespace

std::vector<std::int64_t> read_rows(const std::filesystem::path& file, std::int64_t count,
                                    const std::vector<std::string>& names) {
  std::map<std::string, std::int64_t> by_name;
  for (std::size_t i = 0; i < names.size(); ++i)
    by_name.emplace(names[i], static_cast<std::int64_t>(i));
  const auto meaning = [&](const std::string& line) -> std::optional<std::int64_t> {
    const auto found = by_name.find(line);
    return found != by_name.end() ? found->second : whole_number(line);
  };
  const char* wanted =
      names.empty() ? "a row number" : "a row number, nor the path of an evaluated image";
  const std::vector<std::int64_t> rows = read_numbers(file, meaning, wanted);
  if (rows.empty()) throw DataError(file.string() + " names no row");
  for (const std::int64_t row : rows)
    if (row < 0 || row >= count)
      throw DataError(
          fmt::format("{}: there is no row {}; there are {}, from 0", file.string(), row, count));
  return rows;
}

RetrievalSet read_embedding_files(const EmbeddingFiles& files) {
  if (files.labels.empty()) throw UsageError("--embeddings wants --labels FILE beside it");
  if (files.gallery_embeddings.empty() != files.gallery_labels.empty())
    throw UsageError("a gallery is --gallery-embeddings FILE.npy with --gallery-labels FILE");
  Labelled queries = read_labelled(files.embeddings, files.labels);
  if (files.gallery_embeddings.empty())
    return {.embeddings = queries.embeddings, .labels = std::move(queries.labels)};
  Labelled gallery = read_labelled(files.gallery_embeddings, files.gallery_labels);
  if (queries.embeddings.dim(1) != gallery.embeddings.dim(1))
    throw DataError(fmt::format("{} has embeddings of {} numbers, {} of {}", files.embeddings,
                                queries.embeddings.dim(1), files.gallery_embeddings,
                                gallery.embeddings.dim(1)));
  if (queries.embeddings.dtype() != gallery.embeddings.dtype()) {
    queries.embeddings = queries.embeddings.to(DType::f64);
    gallery.embeddings = gallery.embeddings.to(DType::f64);
  }
  return query_gallery_set(queries.embeddings, std::move(queries.labels), gallery.embeddings,
                           std::move(gallery.labels), files.gallery_begins_with_queries);
}

}  // namespace dml
