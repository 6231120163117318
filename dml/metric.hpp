#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dml/neighbours.hpp"
#include "engine/registry.hpp"
#include "engine/tensor.hpp"

namespace dml {

class Device;

/// What is known of the classes before anything is searched.
struct GroundTruth {
  std::span<const std::int64_t> query_class;    ///< [queries]
  std::span<const std::int64_t> gallery_class;  ///< [gallery]
  std::span<const std::int64_t> positives;      ///< [queries] of the class, the query excluded
  std::span<const std::int64_t> class_size;     ///< [queries] of the class, the query included

  /// The largest number of positives that a query has.
  std::int64_t most_positives() const;
  /// The largest class.
  std::int64_t largest_class() const;
};

/// The gallery as metrics of a whole set see it. What takes time is computed at the first call and
/// shared by all metrics.
class GalleryView {
 public:
  virtual ~GalleryView() = default;
  virtual Device& device() = 0;
  /// [gallery, d] f32 or f64 on the host: as they were given, or rows of length 1 for a metric that
  /// was asked for by cosine ("c_").
  virtual const Tensor& embeddings() = 0;
  /// The same with rows of length 1.
  virtual const Tensor& unit_embeddings() = 0;
  virtual std::span<const std::int64_t> classes() = 0;
  /// [gallery] the cluster of every row, from k-means by the distance of the evaluation.
  virtual std::span<const std::int64_t> clusters() = 0;
  /// All min(gallery, d) singular values of embeddings(), descending.
  virtual std::span<const double> singular_values() = 0;
};

class RankingMetric;
class GalleryMetric;

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
  /// By what rule it counts, in words, for the record: what is done with queries without a
  /// positive, by what is divided.
  virtual std::string protocol() const = 0;
  /// Which way is better.
  virtual bool larger_is_better() const { return true; }
  /// Whether it is a share, between 0 and 1, which tables show in per cent.
  virtual bool is_share() const { return true; }

  /// The one of the two kinds that it is; null for the other.
  virtual const RankingMetric* ranking() const { return nullptr; }
  virtual const GalleryMetric* gallery() const { return nullptr; }

  /// The distance that this metric was asked for with ("c_recall@1": cosine, "e_recall@1":
  /// euclidean), in place of that of the evaluation.
  std::optional<SearchDistance> distance{};

 protected:
  Metric() = default;
};

/// A metric that gives every query a value from its nearest neighbours; the metric is their mean.
class RankingMetric : public Metric {
 public:
  const RankingMetric* ranking() const final { return this; }
  /// How many neighbours of each query it looks at, at least 1. Blocks may hold more, and hold less
  /// where the gallery is smaller.
  virtual std::int64_t neighbours_needed(const GroundTruth& truth) const = 0;
  /// The value of every query of a block [block.queries]; NaN leaves a query out of the mean.
  virtual void score(const Neighbours& block, std::span<double> value) const = 0;
};

/// A metric of the gallery as a whole.
class GalleryMetric : public Metric {
 public:
  const GalleryMetric* gallery() const final { return this; }
  virtual double operator()(GalleryView& view) const = 0;
};

/// A metric as users write it: "recall@4" (or "R@4"), "nmi", "map@r", or a registered name with
/// options behind colons ("nmi:mean=geometric"; the number behind @ is the first option). "c_" or
/// "e_" in front asks for cosine or euclidean distance.
/// @throws UsageError with the nearest known name.
std::unique_ptr<Metric> make_metric(const std::string& text);

/// The metrics of a list like "recall@1,recall@2,nmi".
std::vector<std::unique_ptr<Metric>> make_metrics(const std::string& list);

/// The mean of the values that are numbers; NaN, meaning "undefined", where there is none.
double mean_of(std::span<const double> values);

}  // namespace dml
