#include "dml/metric.hpp"
#include "dml/metrics/ranking.hpp"
#include "dml/revisiting/paper.hpp"

namespace dml {
namespace {

/// (1/R) sum over the hits of the first k neighbours of the precision at their ranks, R being the
/// positives of the query.
class MeanAveragePrecision final : public RankingMetric {
 public:
  struct Options {
    std::int64_t k = 0;
    static constexpr std::tuple fields{field(
        "k", &Options::k, "how many neighbours are looked at; 0: the whole ranking", {0, 1e9})};
  };
  MeanAveragePrecision(Options options, const Setup&) : k_(options.k) {}
  std::string name() const override { return k_ == 0 ? "mAP" : "mAP@" + std::to_string(k_); }
  std::string protocol() const override {
    return "divided by the positives of the query, the query excluded; queries without a positive "
           "are left out of the mean";
  }
  std::int64_t neighbours_needed(const GroundTruth& truth) const override {
    return std::min(depth_of(k_), std::max<std::int64_t>(1, std::ssize(truth.gallery_class)));
  }
  void score(const Neighbours& block, std::span<double> value) const override {
    score_with_positives(block, value, [&](std::int64_t q, std::int64_t positives) {
      return hits_of(block, q, depth_of(k_)).precision / static_cast<double>(positives);
    });
  }

 private:
  std::int64_t k_;
};

/// The family of Roth et al., ICML 2020: divided by the size of the class with the query in it, so
/// that a perfect ranking of a class of n scores (n - 1) / n; all queries count.
class ClassSizePrecision : public RankingMetric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  std::string protocol() const override {
    return "divided by the size of the class, the query included; queries without a positive count "
           "as 0";
  }
  void score(const Neighbours& block, std::span<double> value) const override {
    for (std::int64_t q = 0; q < block.queries; ++q) {
      const std::size_t at = static_cast<std::size_t>(q);
      const std::int64_t size = block.class_size[at];
      value[at] = size == 0
                      ? 0
                      : hits_of(block, q, depth(block, size)).precision / static_cast<double>(size);
    }
  }

 protected:
  /// How deep to look, for a query of a class of that size.
  virtual std::int64_t depth(const Neighbours& block, std::int64_t class_size) const = 0;
};

/// A fixed depth.
template <int Depth> class FixedDepth final : public ClassSizePrecision {
 public:
  FixedDepth(Options, const Setup&) {}
  std::string name() const override {
    return Depth == 0 ? "mAP_all" : Depth == 1000 ? "mAP_1000" : "mAP_lim";
  }
  std::int64_t neighbours_needed(const GroundTruth& truth) const override {
    return std::min(depth_of(Depth), std::max<std::int64_t>(1, std::ssize(truth.gallery_class)));
  }

 protected:
  std::int64_t depth(const Neighbours&, std::int64_t) const override { return depth_of(Depth); }
};

/// As deep as the class is large.
class ClassDepth final : public ClassSizePrecision {
 public:
  ClassDepth(Options, const Setup&) {}
  std::string name() const override { return "mAP_c"; }
  std::int64_t neighbours_needed(const GroundTruth& truth) const override {
    return std::max<std::int64_t>(1, truth.largest_class());
  }

 protected:
  std::int64_t depth(const Neighbours&, std::int64_t class_size) const override {
    return class_size;
  }
};

/// 1 / rank of the first hit.
class MeanReciprocalRank final : public RankingMetric {
 public:
  struct Options {
    std::int64_t k = 0;
    static constexpr std::tuple fields{field(
        "k", &Options::k, "how many neighbours are looked at; 0: the whole ranking", {0, 1e9})};
  };
  MeanReciprocalRank(Options options, const Setup&) : k_(options.k) {}
  std::string name() const override { return k_ == 0 ? "MRR" : "MRR@" + std::to_string(k_); }
  std::string protocol() const override {
    return "1 / rank of the first hit, 0 without one; queries without a positive are left out of "
           "the mean";
  }
  std::int64_t neighbours_needed(const GroundTruth& truth) const override {
    return std::min(depth_of(k_), std::max<std::int64_t>(1, std::ssize(truth.gallery_class)));
  }
  void score(const Neighbours& block, std::span<double> value) const override {
    const std::int64_t depth = std::min(depth_of(k_), block.k);
    score_with_positives(block, value, [&](std::int64_t q, std::int64_t) {
      for (std::int64_t r = 0; r < depth; ++r)
        if (block.hit(q, r)) return 1 / static_cast<double>(r + 1);
      return 0.0;
    });
  }

 private:
  std::int64_t k_;
};

const Register<Metric, MeanAveragePrecision> map{{
    .name = "map",
    .summary = "mean average precision over the whole ranking, or its first k (map@1000)",
    .paper = "Musgrave et al., PyTorch Metric Learning, arXiv 2008.09164",
    .details = "(1/R) sum over the hits r <= k of the precision at r, R = positives of the query",
    .aliases = {"mean_average_precision"},
}};
const Register<Metric, FixedDepth<0>> map_all{{
    .name = "map_all",
    .summary = "mAP of Revisiting-DML over the whole ranking, divided by the size of the class",
    .paper = revisiting::paper,
    .details = "a perfect ranking of a class of n scores (n - 1) / n",
    .aliases = {"revisiting_map"},
}};
const Register<Metric, FixedDepth<1023>> map_lim{{
    .name = "map_lim",
    .summary = "the same over the 1023 nearest",
    .paper = revisiting::paper,
}};
const Register<Metric, FixedDepth<1000>> map_1000{{
    .name = "map_1000",
    .summary = "the same over the 1000 nearest",
    .paper = revisiting::paper,
}};
const Register<Metric, ClassDepth> map_c{{
    .name = "map_c",
    .summary = "the same over as many nearest as the class has items",
    .paper = revisiting::paper,
}};
const Register<Metric, MeanReciprocalRank> mrr{{
    .name = "mrr",
    .summary = "mean of 1 / rank of the first item of the query's class",
    .paper = "Voorhees, The TREC-8 Question Answering Track Report, TREC 1999",
    .aliases = {"mean_reciprocal_rank"},
}};

}  // namespace
}  // namespace dml
