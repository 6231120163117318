#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "apps/evaluation/embedding_files.hpp"
#include "dml/training/measure.hpp"

namespace dml {

/// What the user asked of dmleval.
struct EvaluationFlags {
  std::string input, net, dataset, data_dir, split = "test", features, checkpoint = "best";
  std::string on_bad_image = "fail", queries, gallery;
  std::int64_t image_size = 0, resize = 0, batch_size = 64, workers = 2;
  std::vector<std::string> set;
  EmbeddingFiles files;
  std::string metrics = "recall@1,recall@2,recall@4,recall@8,r_precision,map@r,nmi";
  std::string distance = "cosine", exclude = "query", average = "queries", rerank = "none";
  RerankOptions reranking;
  KMeansOptions kmeans;
  std::int64_t neighbours = 0;
  bool per_class = false;
  std::vector<std::string> require;
  std::string save_embeddings, save_neighbours, list;

  void add_to(CLI::App& app);

  /// The metrics of the list, and those that are required beside it. @throws UsageError.
  std::string all_metrics() const;
  /// @throws UsageError for values that mean nothing.
  EvaluateOptions how() const;
  /// Whether images that cannot be read are left out. @throws UsageError for other words.
  bool skips_bad_images() const;
  /// Obeys --queries and --gallery. @param names  of the rows, which the files may say instead of
  /// numbers. @throws UsageError where the set has queries and a gallery of its own.
  void choose_rows(RetrievalSet& set, const std::vector<std::string>& names) const;
  /// Lines that say which of the required values were not reached; empty when all were.
  std::string missed(const Figures& figures) const;

 private:
  struct Required {
    std::string metric;
    double value;
  };
  std::vector<Required> required() const;
  void add_model_flags(CLI::App& app);
  void add_measure_flags(CLI::App& app);
  void add_output_flags(CLI::App& app);
};

}  // namespace dml
