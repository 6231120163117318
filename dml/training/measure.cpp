#include "dml/training/measure.hpp"

#include <algorithm>
#include <sstream>

namespace dml {

Measurement measure(Device& device, const RetrievalSet& set, const std::string& metrics,
                    const EvaluateOptions& options) {
  std::vector<std::string> names;
  std::istringstream stream(metrics);
  for (std::string name; std::getline(stream, name, ',');) {
    std::erase(name, ' ');
    if (!name.empty()) names.push_back(name);
  }
  Measurement result;
  result.evaluation = evaluate(device, set, make_metrics(metrics), options);
  for (std::size_t i = 0; i < names.size(); ++i)
    result.figures.emplace_back(names[i], result.evaluation.values[i].second);
  result.protocol = result.evaluation.protocol;
  return result;
}

RetrievalSet retrieval_set(const Tensor& embeddings, const std::vector<Item>& items) {
  RetrievalSet set{.embeddings = embeddings, .labels = {}};
  bool all = true;
  for (std::size_t i = 0; i < items.size(); ++i) {
    set.labels.push_back(items[i].label);
    if (items[i].query) set.queries.push_back(static_cast<std::int64_t>(i));
    if (items[i].gallery) set.gallery.push_back(static_cast<std::int64_t>(i));
    all = all && items[i].query && items[i].gallery;
  }
  if (all) set.queries = set.gallery = {};
  return set;
}

}  // namespace dml
