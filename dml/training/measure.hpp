#pragma once
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "dml/retrieval/evaluator.hpp"
#include "engine/event.hpp"

namespace dml {

/// What a measurement gave, and by which rules.
struct Measurement {
  Figures figures;  ///< by the names that were asked for: "recall@1"
  std::map<std::string, std::string> protocol;
  Evaluation evaluation;  ///< all of it; its values are in the order of figures
};

/// Evaluates embeddings with the metrics of a list like "recall@1,nmi". The figures go by the names
/// in the list, because records outlive the headings of columns.
/// @throws UsageError for unknown metrics, and what evaluate() throws.
Measurement measure(Device& device, const RetrievalSet& set, const std::string& metrics,
                    const EvaluateOptions& options);

/// The embeddings of images with their classes, and which of them are queries and gallery.
RetrievalSet retrieval_set(const Tensor& embeddings, const std::vector<Item>& items);

}  // namespace dml
