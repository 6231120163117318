#include <fmt/core.h>

#include <vector>

#include "dml/miner.hpp"

namespace dml {
namespace {

/// Rows that come as anchor, positive, negative, anchor, ...
class PackagedTriplets final : public MatrixMiner {
 public:
  using Options = MatrixMinerOptions;
  PackagedTriplets(const Options& options, const Setup&) : MatrixMiner(options) {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    const std::int64_t n = batch.labels.size();
    DML_CHECK(!batch.reference.defined() && n % 3 == 0,
              fmt::format("rows that come as triplets: {} rows{}; a multiple of 3 and no "
                          "reference set is needed",
                          n, batch.reference.defined() ? " with a reference set" : ""));
    std::vector<std::int64_t> a, p, negatives;
    for (std::int64_t i = 0; i < n; i += 3) {
      a.push_back(i);
      p.push_back(i + 1);
      negatives.push_back(i + 2);
    }
    return triplets_from_lists(device, n, n, a, p, negatives);
  }
};

/// Random triplets of every anchor.
class RandomTriplets final : public Miner {
 public:
  struct Options {
    std::int64_t triplets_per_anchor = 0;
    static constexpr std::tuple fields{
        field("triplets_per_anchor", &Options::triplets_per_anchor,
              "for every anchor with a positive and a negative; 0: the size of its class",
              {0, 1e9}),
    };
  };
  RandomTriplets(const Options& options, const Setup&) : options_(options) {}

  Tuples operator()(Device& device, const Batch& batch) const override {
    return random_triplets(device, batch.labels, batch.others(), options_.triplets_per_anchor,
                           batch.random);
  }

 private:
  Options options_;
};

const Register<Miner, PackagedTriplets> packaged{{
    .name = "embeddings_packaged_as_triplets",
    .summary = "the rows come as anchor, positive, negative, anchor, ..; labels are not looked at",
}};

const Register<Miner, RandomTriplets> random{{
    .name = "random_triplets",
    .summary = "a number of random triplets for every anchor",
    .details = "positive and negative uniform over the class and over the other classes, with "
               "replacement; drawn on the host from the labels, which are known there.",
}};

}  // namespace
}  // namespace dml
