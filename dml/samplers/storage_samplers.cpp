#include <algorithm>

#include "dml/revisiting/paper.hpp"
#include "dml/samplers/batch_match.hpp"
#include "dml/samplers/coreset.hpp"
#include "dml/samplers/storage.hpp"

namespace dml {
namespace {

/// Streams of one batch.
enum Stream : std::uint8_t { of_images, of_selection, of_projection, of_fillers, of_other_images };

std::vector<std::int64_t> looked_up(const std::vector<std::int64_t>& images,
                                    const std::vector<std::int64_t>& places) {
  std::vector<std::int64_t> found;
  for (const std::int64_t place : places) found.push_back(images[static_cast<std::size_t>(place)]);
  return found;
}

/// What both coresets share: choose places of a big batch, and fill up with images of their
/// classes.
class Coreset : public StorageSampler {
 protected:
  Coreset(const StorageOptions& options, const Setup& setup, bool reference)
      : StorageSampler(options, setup), reference_(reference) {}

  std::vector<std::int64_t> choose(const Random& random) const final {
    RandomSequence images(random.split(of_images)), fillers(random.split(of_fillers));
    const BigBatch big = big_batch(random_images(images), random.split(of_projection));
    const std::vector<std::int64_t> places = select(big.points, random.split(of_selection));
    if (!reference_) return filled(looked_up(big.images, places), fillers);
    // The published code looks its selection up in another big batch.
    RandomSequence other(random.split(of_other_images));
    return filled(looked_up(random_images(other), places), fillers);
  }

  /// shape().classes places.
  virtual std::vector<std::int64_t> select(const Points& points, const Random& random) const = 0;

 private:
  bool reference_;
};

class GreedyCoreset final : public Coreset {
 public:
  struct Options : StorageOptions {
    bool softened = false;
    double momentum = -1;
    double momentum_rate = 1;
    bool reference = false;
    static constexpr auto fields = std::tuple_cat(
        StorageOptions::fields,
        std::tuple{
            field("softened", &Options::softened,
                  "draw among the furthest three hundredths in place of the furthest"),
            field("momentum", &Options::momentum,
                  "with update = epoch: m in delta = m delta + (1 - m)(new - old), and new + rate "
                  "delta is stored; 0 or less: never",
                  {-1, 1}),
            field("momentum_rate", &Options::momentum_rate, "rate of that formula", {-1e3, 1e3}),
            field("reference", &Options::reference,
                  "as the published code: what was selected is looked up in another big batch, "
                  "which makes it random"),
        });
  };
  GreedyCoreset(const Options& options, const Setup& setup)
      : Coreset(options, setup, options.reference), options_(options) {}

 protected:
  std::vector<std::int64_t> select(const Points& points, const Random& random) const override {
    RandomSequence sequence(random);
    const auto first =
        static_cast<std::int64_t>(sequence.below(static_cast<std::uint64_t>(points.n)));
    return greedy_coreset(points, shape().classes, first, options_.softened ? &sequence : nullptr);
  }
  Tensor renewed(const Tensor& older, const Tensor& newer) override {
    if (options_.momentum <= 0) return newer;
    if (!momentum_.defined()) momentum_ = Tensor(newer.shape(), DType::f32);
    Tensor stored = newer.clone();
    for (std::int64_t i = 0; i < newer.size(); ++i) {
      const double change =
          static_cast<double>(newer.raw<float>()[i]) - static_cast<double>(older.raw<float>()[i]);
      float& delta = momentum_.raw<float>()[i];
      delta = static_cast<float>(options_.momentum * static_cast<double>(delta) +
                                 (1 - options_.momentum) * change);
      stored.raw<float>()[i] += static_cast<float>(options_.momentum_rate) * delta;
    }
    return stored;
  }

 private:
  Options options_;
};

class D2CoresetSampler final : public Coreset {
 public:
  struct Options : StorageOptions {
    double lambda = 1;
    bool reference = false;
    static constexpr auto fields = std::tuple_cat(
        StorageOptions::fields,
        std::tuple{
            field("lambda", &Options::lambda, "power of the sum of squared distances", {0, 100}),
            field("reference", &Options::reference,
                  "as the published code: what was selected is looked up in another big batch, "
                  "which makes it random"),
        });
  };
  D2CoresetSampler(const Options& options, const Setup& setup)
      : Coreset(options, setup, options.reference), lambda_(options.lambda) {}

 protected:
  std::vector<std::int64_t> select(const Points& points, const Random& random) const override {
    D2Coreset coreset(points, lambda_);
    RandomSequence normals(random.split(0)), draws(random.split(1));
    std::vector<std::int64_t> places{coreset.nearest(coreset.fitted().draw(normals))};
    coreset.select(places.back());
    while (std::ssize(places) < std::min(shape().classes, points.n)) {
      places.push_back(draw_weighted(coreset.probabilities(), draws));
      coreset.select(places.back());
    }
    return places;
  }

 private:
  double lambda_;
};

/// The one of some candidates that is most like a big batch.
template <class Cost> class BatchMatch final : public StorageSampler {
 public:
  struct Options : StorageOptions {
    std::int64_t candidates = 10;
    static constexpr auto fields = std::tuple_cat(
        StorageOptions::fields, std::tuple{field("candidates", &Options::candidates,
                                                 "batches that are compared", {1, 1e4})});
  };
  BatchMatch(const Options& options, const Setup& setup)
      : StorageSampler(options, setup), candidates_(options.candidates) {}

 protected:
  std::vector<std::int64_t> choose(const Random& random) const override {
    RandomSequence images(random.split(of_images)), selection(random.split(of_selection));
    const std::int64_t draws = storage_options().big_batch / shape().images;
    const BigBatch big = big_batch(random_classes(draws, images), random.split(of_projection));
    std::map<std::int64_t, std::vector<std::int64_t>> by_class;  // places of the big batch
    for (std::int64_t place = 0; place < std::ssize(big.images); ++place)
      by_class[class_of(big.images[static_cast<std::size_t>(place)])].push_back(place);
    std::vector<std::vector<std::int64_t>> groups;
    for (auto& [label, places] : by_class) groups.push_back(std::move(places));

    const Cost cost(big.points);
    std::vector<double> costs;
    std::vector<std::vector<std::int64_t>> all;
    for (std::int64_t c = 0; c < candidates_; ++c) {
      all.push_back(candidate(groups, selection));
      costs.push_back(cost(big.points.at(all.back())));
    }
    return looked_up(big.images, all[static_cast<std::size_t>(first_least(costs))]);
  }

 private:
  std::vector<std::int64_t> candidate(const std::vector<std::vector<std::int64_t>>& groups,
                                      RandomSequence& random) const {
    std::vector<std::int64_t> places;
    for (std::int64_t draw = 0; draw < shape().classes; ++draw) {
      const auto some = draw_images(groups[random.below(groups.size())], shape().images, random);
      places.insert(places.end(), some.begin(), some.end());
    }
    return places;
  }

  std::int64_t candidates_;
};

const Register<Sampler, GreedyCoreset> greedy{{
    .name = "greedy_coreset",
    .summary = "images that cover a big batch by distance, each with others of its class",
    .paper = revisiting::paper,
}};
const Register<Sampler, D2CoresetSampler> d2{{
    .name = "d2_coreset",
    .summary = "images drawn apart from each other and where embeddings are dense",
    .paper = revisiting::paper,
    .details = "p(x) ~ pdf(x) (sum of squared distances to the selected)^lambda, pdf of a normal "
               "distribution fitted to the big batch",
}};
const Register<Sampler, BatchMatch<FrechetCost>> frechet{{
    .name = "fid_batchmatch",
    .summary = "the batch of some whose mean and covariance are most like those of a big batch",
    .paper = revisiting::paper,
    .details = "costs d^3 for every candidate: with embeddings of 512 numbers set projection",
}};
const Register<Sampler, BatchMatch<HistogramCost>> histogram{{
    .name = "disthist_batchmatch",
    .summary = "the batch of some whose distances are distributed most like those of a big batch",
    .paper = revisiting::paper,
}};

}  // namespace
}  // namespace dml
