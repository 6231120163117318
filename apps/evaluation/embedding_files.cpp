#include "apps/evaluation/embedding_files.hpp"

#include <fmt/format.h>

#include <sstream>

#include "engine/file.hpp"
#include "engine/npy.hpp"

namespace dml {
namespace {

std::vector<std::int64_t> read_labels(const std::filesystem::path& file) {
  std::vector<std::int64_t> labels;
  if (file.extension() == ".npy") {
    const Tensor tensor = read_npy(file).to(DType::i64);
    for (const std::int64_t label : tensor.data<std::int64_t>()) labels.push_back(label);
    return labels;
  }
  std::istringstream lines(read_file(file));
  std::int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    try {
      std::size_t end = 0;
      labels.push_back(std::stoll(line, &end));
      if (end != line.size()) throw std::invalid_argument(line);
    } catch (const std::exception&) {
      throw FormatError(
          fmt::format("{}:{}: '{}' is not a whole number", file.string(), number, line));
    }
  }
  return labels;
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
