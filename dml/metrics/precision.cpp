#include "dml/metric.hpp"
#include "dml/metrics/ranking.hpp"

namespace dml {
namespace {

constexpr const char* lone_left_out = "queries without a positive are left out of the mean";

/// The share of queries whose nearest neighbour is of their class.
class PrecisionAt1 final : public RankingMetric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  PrecisionAt1(Options, const Setup&) {}
  std::string name() const override { return "P@1"; }
  std::string protocol() const override { return lone_left_out; }
  std::int64_t neighbours_needed(const GroundTruth&) const override { return 1; }
  void score(const Neighbours& block, std::span<double> value) const override {
    score_with_positives(block, value, [&](std::int64_t q, std::int64_t) {
      return static_cast<double>(hits_of(block, q, 1).count);
    });
  }
};

/// What RPrecision and MapAtR share: R neighbours are looked at, but at most k.
class AtR : public RankingMetric {
 public:
  struct Options {
    std::int64_t k = 0;
    static constexpr std::tuple fields{
        field("k", &Options::k, "how many neighbours there are at most; 0: all", {0, 1e9})};
  };
  explicit AtR(Options options) : options_(options) {}
  std::int64_t neighbours_needed(const GroundTruth& truth) const override {
    return std::max<std::int64_t>(1, std::min(depth_of(options_.k), truth.most_positives()));
  }

 protected:
  std::int64_t depth(std::int64_t positives) const {
    return std::min(positives, depth_of(options_.k));
  }
  std::string heading(const std::string& name) const {
    return options_.k == 0 ? name : name + " (k=" + std::to_string(options_.k) + ")";
  }

 private:
  Options options_;
};

/// With R items of its class in the gallery, the share of them among the min(R, k) nearest.
class RPrecision final : public AtR {
 public:
  RPrecision(Options options, const Setup&) : AtR(options) {}
  std::string name() const override { return heading("R-precision"); }
  std::string protocol() const override {
    return std::string("hits among the R nearest divided by R, R = the positives of the query; ") +
           lone_left_out;
  }
  void score(const Neighbours& block, std::span<double> value) const override {
    score_with_positives(block, value, [&](std::int64_t q, std::int64_t positives) {
      const std::int64_t looked_at = depth(positives);
      return static_cast<double>(hits_of(block, q, looked_at).count) /
             static_cast<double>(looked_at);
    });
  }
};

/// Mean average precision at R: as RPrecision, but every hit counts with the precision at its rank
/// (Musgrave et al., ECCV 2020, eq. 2).
class MapAtR final : public AtR {
 public:
  MapAtR(Options options, const Setup&) : AtR(options) {}
  std::string name() const override { return heading("MAP@R"); }
  std::string protocol() const override {
    return std::string("precisions at the hits among the R nearest, divided by R; ") +
           lone_left_out;
  }
  void score(const Neighbours& block, std::span<double> value) const override {
    score_with_positives(block, value, [&](std::int64_t q, std::int64_t positives) {
      return hits_of(block, q, depth(positives)).precision / static_cast<double>(positives);
    });
  }
};

/// As MapAtR, but divided by the number of hits (Sanakoyeu et al., CVPR 2019).
class MeanAverageRPrecision final : public AtR {
 public:
  MeanAverageRPrecision(Options options, const Setup&) : AtR(options) {}
  std::string name() const override { return heading("mARP"); }
  std::string protocol() const override {
    return "precisions at the hits among the R nearest, divided by the number of hits; queries "
           "without a hit or without a positive count as 0; much higher than MAP@R";
  }
  void score(const Neighbours& block, std::span<double> value) const override {
    for (std::int64_t q = 0; q < block.queries; ++q) {
      const std::size_t at = static_cast<std::size_t>(q);
      const Hits hits = hits_of(block, q, depth(block.positives[at]));
      value[at] = hits.count == 0 ? 0 : hits.precision / static_cast<double>(hits.count);
    }
  }
};

const Register<Metric, PrecisionAt1> precision_at_1{{
    .name = "precision_at_1",
    .summary = "share of queries whose nearest neighbour is of their class",
    .details = "queries without another item of their class are left out; recall@1 counts them",
    .aliases = {"P@1", "precision@1"},
}};
const Register<Metric, RPrecision> r_precision{{
    .name = "r_precision",
    .summary = "share of the R items of a query's class among its R nearest",
    .paper = "Musgrave et al., A Metric Learning Reality Check, ECCV 2020",
    .details = "hits in the first min(R, k) divided by min(R, k)",
    .aliases = {"RP"},
}};
const Register<Metric, MapAtR> map_at_r{{
    .name = "map_at_r",
    .summary = "mean average precision over the R nearest",
    .paper = "Musgrave et al., A Metric Learning Reality Check, ECCV 2020",
    .details = "1/R sum over the hits r <= min(R, k) of the precision at r; with k below R the "
               "value is not the true one",
    .aliases = {"MAP@R", "mean_average_precision_at_r", "mAP_r"},
}};
const Register<Metric, MeanAverageRPrecision> marp{{
    .name = "marp",
    .summary = "as map@r, but divided by the number of hits in place of R",
    .paper = "Sanakoyeu et al., Divide and Conquer the Embedding Space for Metric Learning, "
             "CVPR 2019",
    .details = "never compare it with map@r: it forgives what was not found",
}};

}  // namespace
}  // namespace dml
