#include "dml/metric.hpp"

namespace dml {
namespace {

/// The largest number of positives that a query has.
std::int64_t most_positives(const GroundTruth& truth) {
  std::int64_t most = 0;
  for (const std::int64_t positives : truth.positives) most = std::max(most, positives);
  return most;
}

/// The mean of value(query, its positives) over the queries that have positives; 0 if none has.
template <class Value> double mean_over_queries(const Neighbours& nn, Value value) {
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t q = 0; q < nn.queries; ++q) {
    const std::int64_t positives = nn.positives[static_cast<std::size_t>(q)];
    if (positives == 0) continue;
    sum += value(q, positives);
    ++count;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

/// The share of queries whose nearest neighbour is of their class.
class PrecisionAt1 final : public Metric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  PrecisionAt1(Options, const Setup&) {}
  std::string name() const override { return "P@1"; }
  std::int64_t neighbours_needed(const GroundTruth&) const override { return 1; }
  double operator()(const Findings& findings) const override {
    const Neighbours& nn = findings.neighbours;
    std::int64_t hits = 0;
    for (std::int64_t q = 0; q < nn.queries; ++q) hits += nn.hit(q, 0) ? 1 : 0;
    return static_cast<double>(hits) / static_cast<double>(nn.queries);
  }
};

/// With R items of its class in the gallery, the share of them among the R nearest; the mean over
/// the queries that have any.
class RPrecision final : public Metric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  RPrecision(Options, const Setup&) {}
  std::string name() const override { return "R-precision"; }
  std::int64_t neighbours_needed(const GroundTruth& truth) const override {
    return most_positives(truth);
  }
  double operator()(const Findings& findings) const override {
    const Neighbours& nn = findings.neighbours;
    return mean_over_queries(nn, [&](std::int64_t q, std::int64_t positives) {
      std::int64_t hits = 0;
      for (std::int64_t r = 0; r < positives; ++r) hits += nn.hit(q, r) ? 1 : 0;
      return static_cast<double>(hits) / static_cast<double>(positives);
    });
  }
};

/// Mean average precision at R: as RPrecision, but every hit counts with the precision at its rank
/// (Musgrave et al., ECCV 2020, eq. 2).
class MapAtR final : public Metric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  MapAtR(Options, const Setup&) {}
  std::string name() const override { return "MAP@R"; }
  std::int64_t neighbours_needed(const GroundTruth& truth) const override {
    return most_positives(truth);
  }
  double operator()(const Findings& findings) const override {
    const Neighbours& nn = findings.neighbours;
    return mean_over_queries(nn, [&](std::int64_t q, std::int64_t positives) {
      double sum = 0;
      std::int64_t hits = 0;
      for (std::int64_t r = 0; r < positives; ++r) {
        if (!nn.hit(q, r)) continue;
        ++hits;
        sum += static_cast<double>(hits) / static_cast<double>(r + 1);
      }
      return sum / static_cast<double>(positives);
    });
  }
};

const Register<Metric, PrecisionAt1> precision_at_1{{
    .name = "precision_at_1",
    .summary = "share of queries whose nearest neighbour is of their class",
    .aliases = {"P@1", "precision@1"},
}};
const Register<Metric, RPrecision> r_precision{{
    .name = "r_precision",
    .summary = "share of the R items of a query's class among its R nearest",
    .paper = "Musgrave et al., A Metric Learning Reality Check, ECCV 2020",
    .aliases = {"RP"},
}};
const Register<Metric, MapAtR> map_at_r{{
    .name = "map_at_r",
    .summary = "mean average precision over the R nearest",
    .paper = "Musgrave et al., A Metric Learning Reality Check, ECCV 2020",
    .aliases = {"MAP@R"},
}};

}  // namespace
}  // namespace dml
