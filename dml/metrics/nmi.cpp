#include "dml/metrics/nmi.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "dml/metric.hpp"
#include "engine/check.hpp"

namespace dml {
namespace {

template <class Counts> double entropy(const Counts& counts, double n) {
  double sum = 0;
  for (const auto& [part, count] : counts) sum -= count / n * std::log(count / n);
  return sum;
}

}  // namespace

double normalised_mutual_information(std::span<const std::int64_t> a,
                                     std::span<const std::int64_t> b, NmiMean mean) {
  DML_CHECK(a.size() == b.size() && !a.empty(),
            fmt::format("nmi: partitions of {} and {} items", a.size(), b.size()));
  std::map<std::int64_t, double> in_a, in_b;
  std::map<std::pair<std::int64_t, std::int64_t>, double> in_both;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ++in_a[a[i]];
    ++in_b[b[i]];
    ++in_both[{a[i], b[i]}];
  }
  const double n = static_cast<double>(a.size());
  if (in_a.size() == 1 && in_b.size() == 1) return 1;
  double information = 0;
  for (const auto& [parts, count] : in_both)
    information += count / n * std::log(n * count / (in_a[parts.first] * in_b[parts.second]));
  const double ha = entropy(in_a, n), hb = entropy(in_b, n);
  const double divisor = mean == NmiMean::arithmetic ? (ha + hb) / 2 : std::sqrt(ha * hb);
  if (divisor <= 0) return 0;  // geometric, and one of the two has a single part
  return std::clamp(information / divisor, 0.0, 1.0);
}

namespace {

/// Between classes and the clusters of k-means on the gallery.
class Nmi final : public Metric {
 public:
  struct Options {
    std::string mean = "arithmetic";
    static constexpr std::tuple fields{
        field("mean", &Options::mean, "of the two entropies, by which information is divided",
              "arithmetic|geometric"),
    };
  };
  Nmi(Options options, const Setup&)
      : mean_(options.mean == "geometric" ? NmiMean::geometric : NmiMean::arithmetic) {}
  std::string name() const override {
    return mean_ == NmiMean::arithmetic ? "NMI" : "NMI (geometric)";
  }
  bool clusters_needed() const override { return true; }
  double operator()(const Findings& findings) const override {
    return normalised_mutual_information(findings.neighbours.gallery_class, findings.cluster,
                                         mean_);
  }

 private:
  NmiMean mean_;
};

const Register<Metric, Nmi> registered{{
    .name = "nmi",
    .summary = "normalised mutual information of classes and k-means clusters",
    .paper = "Strehl and Ghosh, Cluster Ensembles, JMLR 2002",
    .details = "divided by the arithmetic mean of the entropies, as scikit-learn since 0.22; "
               "mean = geometric is the older way",
}};

}  // namespace
}  // namespace dml
