#include "dml/losses/histogram.hpp"

#include <algorithm>
#include <cmath>

#include "dml/losses/triplets.hpp"
#include "ops/lines.hpp"

namespace dml {
namespace {

struct HistogramOverlap {
  kernel::HistogramInputs in;
  Tensor similarity{};

  Tensor forward(Device& device, const Tensor& s) {
    similarity = device.dense(s);
    const Shape shape{2, in.nodes.count};
    in.histograms = device.empty(shape, DType::f64);
    in.slopes = device.empty(shape, DType::f64);
    kernel::pair_histograms(device, similarity, in);
    Tensor loss = device.empty({}, similarity.dtype());
    kernel::histogram_overlap(device, in, loss);
    return loss;
  }
  Grads<1> backward(Device& device, const Tensor& up, std::array<bool, 1>) const {
    Tensor gradient = device.empty(similarity.shape(), similarity.dtype());
    kernel::pair_histograms_bwd(device, similarity, in, up, gradient);
    return {gradient};
  }
};

/// Serial: all pairs add to the same few sums.
void collect(Device&, const Tensor& similarity, const kernel::HistogramInputs& in) {
  const std::int64_t n = similarity.dim(0), count = in.nodes.count;
  double* bins = in.histograms.raw<double>();
  std::fill_n(bins, 2 * count, 0.0);
  visit_float(similarity.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = i + 1; j < n; ++j) {
        const int kind = pairs::kind_of_pair(in.relation.raw<float>(), n, i, j);
        if (kind == 0) continue;
        const auto at = in.nodes.of(similarity.raw<T>()[i * n + j]);
        double* to = bins + (kind > 0 ? 0 : count) + at.low;
        to[0] += 1 - at.share;
        to[1] += at.share;
      }
  });
}

/// Serial: running sums over the nodes.
void overlap_of_histograms(Device&, const kernel::HistogramInputs& in, Tensor& loss) {
  const double value =
      pairs::overlap(in.histograms.raw<double>(), in.nodes.count, in.slopes.raw<double>());
  visit_float(loss.dtype(), [&]<class T>() { *loss.raw<T>() = static_cast<T>(value); });
}

void scatter(Device& device, const Tensor& similarity, const kernel::HistogramInputs& in,
             const Tensor& up, Tensor& dsimilarity) {
  const std::int64_t n = similarity.dim(0), count = in.nodes.count;
  all_lines(device, similarity.dtype(), n, 2 * n,
            [&]<class T>(std::int64_t first, std::int64_t last) {
              std::fill(dsimilarity.raw<T>() + first * n, dsimilarity.raw<T>() + last * n, T(0));
              const double scale = static_cast<double>(*up.raw<T>()) / in.nodes.width;
              for (std::int64_t i = first; i < last; ++i)
                for (std::int64_t j = i + 1; j < n; ++j) {
                  const int kind = pairs::kind_of_pair(in.relation.raw<float>(), n, i, j);
                  if (kind == 0) continue;
                  const double* slope = in.slopes.raw<double>() + (kind > 0 ? 0 : count) +
                                        in.nodes.of(similarity.raw<T>()[i * n + j]).low;
                  dsimilarity.raw<T>()[i * n + j] = static_cast<T>(scale * (slope[1] - slope[0]));
                }
            });
}

const bool histogram_added =
    kernel::pair_histograms.add(Backend::reference, collect) &&
    kernel::pair_histograms.add(Backend::cpu, collect) &&
    kernel::histogram_overlap.add(Backend::reference, overlap_of_histograms) &&
    kernel::histogram_overlap.add(Backend::cpu, overlap_of_histograms) &&
    kernel::pair_histograms_bwd.add(Backend::reference, scatter) &&
    kernel::pair_histograms_bwd.add(Backend::cpu, scatter);

/// How much the histograms of positive and negative similarities overlap.
class Histogram final : public TripletLoss {
 public:
  struct Options : TripletOptions {
    Options() : TripletOptions({"cosine"}, "mean") {}
    std::int64_t n_bins = 100;
    double delta = 0;
    static constexpr auto fields =
        with(field("n_bins", &Options::n_bins, "intervals from -1 to 1", {1, 1000000}),
             field("delta", &Options::delta, "width of an interval; 0: 2 / n_bins", {0, 2}));
  };

  Histogram(const Options& options, const Setup&) : TripletLoss(options) {
    if (!distance().similarity() || !distance().options().normalize)
      throw UsageError("needs cosines\n  leave its distance as it is");
    const double width =
        options.delta > 0 ? options.delta : 2 / static_cast<double>(options.n_bins);
    nodes_ = {static_cast<std::int64_t>(std::ceil(2 / width - 1e-9)) + 1, width};
  }
  Requirements requirements() const override { return {.images_per_class = 2, .classes = 2}; }

 protected:
  Var compute(const Batch& batch) override {
    refuse_reference(batch, "histogram");
    const Var similarity = matrix(batch);
    const std::int64_t n = batch.labels.size();
    return histogram_overlap(similarity, pair_relation(similarity.device(), triplets(batch), n, n),
                             nodes_);
  }

 private:
  HistogramNodes nodes_;
};

const Register<Loss, Histogram> histogram_loss{{
    .name = "histogram",
    .summary = "the probability that a random negative pair is more similar than a positive one",
    .paper = "Ustinova & Lempitsky, Learning Deep Embeddings with Histogram Loss, NIPS 2016",
    .details = "over unordered pairs that occur in a triplet; the paper takes all pairs. The "
               "reducer is not used. Cost: n^2. Use it when no margin is to be chosen at all: it "
               "needs batches large enough to estimate two histograms.",
}};

}  // namespace

Var histogram_overlap(const Var& similarity, const Tensor& relation, HistogramNodes nodes) {
  DML_CHECK(similarity.rank() == 2 && similarity.dim(0) == similarity.dim(1) &&
                relation.shape() == similarity.shape(),
            "histogram: similarities " + to_string(similarity.shape()) + " and a relation " +
                to_string(relation.shape()) + "; two matrices [n, n] are needed");
  return apply(HistogramOverlap{.in = {.relation = relation, .nodes = nodes}}, similarity);
}

}  // namespace dml
