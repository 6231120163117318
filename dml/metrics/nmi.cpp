#include "dml/metric.hpp"
#include "dml/metrics/partition.hpp"

namespace dml {
namespace {

/// Between classes and the clusters of k-means on the gallery.
class Nmi final : public GalleryMetric {
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
  std::string protocol() const override {
    return mean_ == NmiMean::arithmetic
               ? "divided by the arithmetic mean of the entropies; 1 for a single class and cluster"
               : "divided by the geometric mean of the entropies; 1 for a single class and cluster";
  }
  double operator()(GalleryView& view) const override {
    return normalised_mutual_information(view.classes(), view.clusters(), mean_);
  }

 private:
  NmiMean mean_;
};

/// NMI less what random clusters of the same sizes give.
class Ami final : public GalleryMetric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  Ami(Options, const Setup&) {}
  std::string name() const override { return "AMI"; }
  std::string protocol() const override {
    return "(I - E[I]) / (arithmetic mean of the entropies - E[I]), E under the hypergeometric "
           "model";
  }
  double operator()(GalleryView& view) const override {
    return adjusted_mutual_information(view.classes(), view.clusters());
  }
};

/// Over pairs of items.
class F1 final : public GalleryMetric {
 public:
  struct Options {
    static constexpr std::tuple<> fields{};
  };
  F1(Options, const Setup&) {}
  std::string name() const override { return "F1"; }
  std::string protocol() const override {
    return "2 TP / (pairs in one class + pairs in one cluster), TP pairs being in one of both; 0 "
           "without such a pair";
  }
  double operator()(GalleryView& view) const override {
    return pair_f1(view.classes(), view.clusters());
  }
};

const Register<Metric, Nmi> nmi{{
    .name = "nmi",
    .summary = "normalised mutual information of classes and k-means clusters",
    .paper = "Strehl and Ghosh, Cluster Ensembles, JMLR 2002",
    .details = "divided by the arithmetic mean of the entropies, as scikit-learn since 0.22; "
               "mean = geometric is the older way",
}};
const Register<Metric, Ami> ami{{
    .name = "ami",
    .summary = "mutual information of classes and k-means clusters, adjusted for chance",
    .paper = "Vinh et al., Information Theoretic Measures for Clusterings Comparison, JMLR 2010",
    .details = "(I - E[I]) / (mean(H, H) - E[I]); 0 for random clusters of any number, which NMI "
               "is not",
}};
const Register<Metric, F1> f1{{
    .name = "f1",
    .summary = "F1 of pairs: in one class against in one k-means cluster",
    .paper = "Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016",
}};

}  // namespace
}  // namespace dml
