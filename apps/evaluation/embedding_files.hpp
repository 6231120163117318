#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "dml/retrieval/evaluator.hpp"

namespace dml {

/// Where embeddings and their classes lie, in place of images and a net.
struct EmbeddingFiles {
  std::string embeddings, labels;                  ///< of all, or of the queries
  std::string gallery_embeddings, gallery_labels;  ///< empty: the queries are the gallery
  bool gallery_begins_with_queries = false;
};

/// Reads .npy embeddings [n, size] and labels (.npy, or one whole number a line).
/// @throws UsageError when a file is not named, DataError and FormatError for what is in them.
RetrievalSet read_embedding_files(const EmbeddingFiles& files);

/// The rows that a file names: numbers from 0 (.npy, or one a line), or lines out of `names`.
/// @param count  of the rows that there are.
/// @throws FormatError naming the line, DataError when the file is empty or cannot be read.
std::vector<std::int64_t> read_rows(const std::filesystem::path& file, std::int64_t count,
                                    const std::vector<std::string>& names);

}  // namespace dml
