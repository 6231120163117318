#include <algorithm>

#include "dml/metric.hpp"

namespace dml {
namespace {

/// Recall@k as deep metric learning uses the word (Song et al., CVPR 2016): the share of queries
/// with at least one item of their own class among the k nearest. A query that has no item of its
/// class in the gallery is a miss.
class RecallAtK final : public RankingMetric {
 public:
  struct Options {
    std::int64_t k = 1;
    static constexpr std::tuple fields{
        field("k", &Options::k, "how many neighbours to look at", {1, 1e9})};
  };

  RecallAtK(Options options, const Setup&) : k_(options.k) {}
  std::string name() const override { return "R@" + std::to_string(k_); }
  std::string protocol() const override {
    return "share of queries with a hit among the " + std::to_string(k_) +
           " nearest; queries without a positive are misses and count";
  }
  std::int64_t neighbours_needed(const GroundTruth&) const override { return k_; }

  void score(const Neighbours& block, std::span<double> value) const override {
    const std::int64_t k = std::min(k_, block.k);  // a gallery may be smaller than k
    for (std::int64_t q = 0; q < block.queries; ++q) {
      bool hit = false;
      for (std::int64_t r = 0; r < k && !hit; ++r) hit = block.hit(q, r);
      value[static_cast<std::size_t>(q)] = hit ? 1 : 0;
    }
  }

 private:
  std::int64_t k_;
};

const Register<Metric, RecallAtK> recall_at_k_metric{{
    .name = "recall",
    .summary = "share of queries with an item of their class among the k nearest",
    .paper = "Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016",
    .details = "recall@4 is recall with k = 4. A query without another item of its class is a miss "
               "and counts.",
    .aliases = {"R", "recall_at_k"},
}};

}  // namespace
}  // namespace dml
