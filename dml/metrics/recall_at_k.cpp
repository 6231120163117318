#include "dml/metric.hpp"

namespace dml {
namespace {

/// Recall@k as deep metric learning uses the word (Song et al., CVPR 2016): the share of queries
/// with at least one item of their own class among the k nearest. A query that has no item of its
/// class in the gallery is a miss.
class RecallAtK final : public Metric {
 public:
  struct Options {
    std::int64_t k = 1;
    static constexpr std::tuple fields{
        field("k", &Options::k, "how many neighbours to look at", {1, 1e9})};
  };

  RecallAtK(Options options, const Setup&) : k_(options.k) {}
  std::string name() const override { return "R@" + std::to_string(k_); }
  std::int64_t neighbours_needed(const GroundTruth&) const override { return k_; }

  double operator()(const Findings& findings) const override {
    const Neighbours& nn = findings.neighbours;
    const std::int64_t k = std::min(k_, nn.k);  // a gallery may be smaller than k
    std::int64_t hits = 0;
    for (std::int64_t q = 0; q < nn.queries; ++q) {
      bool hit = false;
      for (std::int64_t r = 0; r < k && !hit; ++r) hit = nn.hit(q, r);
      hits += hit ? 1 : 0;
    }
    return static_cast<double>(hits) / static_cast<double>(nn.queries);
  }

 private:
  std::int64_t k_;
};

const Register<Metric, RecallAtK> registered{{
    .name = "recall",
    .summary = "share of queries with an item of their class among the k nearest",
    .paper = "Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016",
    .aliases = {"R", "recall_at_k"},
}};

}  // namespace
}  // namespace dml
