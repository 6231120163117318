#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dml/neighbours.hpp"
#include "engine/registry.hpp"

namespace dml {

/// What is known of the classes before anything is searched.
struct GroundTruth {
  std::span<const std::int64_t> query_class;    ///< [queries]
  std::span<const std::int64_t> gallery_class;  ///< [gallery]
  std::span<const std::int64_t> positives;      ///< [queries] of the class, the query excluded
};

/// What the evaluator found. Metrics never see a distance matrix of the whole set.
struct Findings {
  const Neighbours& neighbours;           ///< at least as many as the metric asked for
  std::span<const std::int64_t> cluster;  ///< [gallery] from k-means; empty if no metric wanted it
};

/// A number that says how good an embedding is.
class Metric {
 public:
  static constexpr const char* kind = "metric";
  struct Setup {};

  virtual ~Metric() = default;
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;

  /// How the column is headed: "R@1".
  virtual std::string name() const = 0;
  /// How many neighbours of each query it looks at.
  virtual std::int64_t neighbours_needed(const GroundTruth&) const { return 0; }
  /// Whether it looks at clusters.
  virtual bool clusters_needed() const { return false; }
  /// The value; larger is better.
  virtual double operator()(const Findings& findings) const = 0;

 protected:
  Metric() = default;
};

/// A metric as users write it: "recall@4" (or "R@4"), "nmi", "map@r", or a registered name with
/// defaults. @throws UsageError with the nearest known name.
std::unique_ptr<Metric> make_metric(const std::string& text);

/// The metrics of a list like "recall@1,recall@2,nmi".
std::vector<std::unique_ptr<Metric>> make_metrics(const std::string& list);

}  // namespace dml
