#include "dml/samplers/divide.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "dml/loss.hpp"
#include "dml/sampler.hpp"

namespace dml {
namespace {

using Rows = std::vector<std::int64_t>;
using Batches = std::vector<Rows>;

std::int64_t size_of(const Batches& classes) {
  std::int64_t images = 0;
  for (const Rows& one : classes) images += static_cast<std::int64_t>(one.size());
  return images;
}

/// `count` places of a list of n: different ones while there are enough.
Rows places(std::size_t n, std::size_t count, RandomSequence& random) {
  Rows order(n);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  random.shuffle(order);
  while (order.size() < count) order.push_back(static_cast<std::int64_t>(random.below(n)));
  order.resize(count);
  return order;
}

/// The images of a class, dealt from a shuffled list.
class Deck {
 public:
  Deck(Rows cards, RandomSequence& random) : cards_(std::move(cards)) { random.shuffle(cards_); }
  Rows deal(std::size_t count, RandomSequence& random) {
    Rows hand;
    if (cards_.size() - next_ < count) {
      for (const std::int64_t place : places(cards_.size(), count, random))
        hand.push_back(cards_[static_cast<std::size_t>(place)]);
    } else {
      hand.assign(cards_.begin() + static_cast<std::ptrdiff_t>(next_),
                  cards_.begin() + static_cast<std::ptrdiff_t>(next_ + count));
    }
    next_ += count;
    if (next_ >= cards_.size()) {
      random.shuffle(cards_);
      next_ = 0;
    }
    return hand;
  }
  std::size_t size() const { return cards_.size(); }

 private:
  Rows cards_;
  std::size_t next_ = 0;
};

/// Fills a batch with random images of the cluster that it does not hold yet.
void fill(Rows& batch, const Batches& classes, std::size_t size, RandomSequence& random) {
  const std::set<std::int64_t> held(batch.begin(), batch.end());
  Rows rest;
  for (const Rows& one : classes)
    for (const std::int64_t image : one)
      if (!held.contains(image)) rest.push_back(image);
  random.shuffle(rest);
  for (const std::int64_t image : rest)
    if (batch.size() < size) batch.push_back(image);
}

class Balanced {
 public:
  Balanced(const Batches& classes, const ClusterDraw& draw, RandomSequence& random)
      : classes_(classes),
        draw_(draw),
        random_(random),
        size_(static_cast<std::size_t>(draw.batch)) {
    for (const Rows& one : classes) decks_.emplace_back(one, random);
    count_ = size_ / static_cast<std::size_t>(draw.images);
    each_ = static_cast<std::size_t>(draw.images);
    const bool old = draw.kind == "balanced_old";
    if (!old && classes.size() < count_) {
      count_ = classes.size();
      each_ = size_ / count_;
    }
  }

  Rows next() {
    const Rows chosen = places(decks_.size(), count_, random_);
    const std::size_t more = size_ - each_ * count_;
    const Rows extra = places(decks_.size(), std::min(more, decks_.size()), random_);
    Rows batch;
    for (const std::int64_t c : chosen) {
      Deck& deck = decks_[static_cast<std::size_t>(c)];
      std::size_t wanted = each_;
      if (std::find(extra.begin(), extra.end(), c) != extra.end()) ++wanted;
      if (draw_.kind != "balanced_old" && draw_.small_class != "duplicate")
        wanted = std::min(wanted, deck.size());
      const Rows hand = deck.deal(wanted, random_);
      batch.insert(batch.end(), hand.begin(), hand.end());
    }
    if (batch.size() > size_) batch.resize(size_);
    if (draw_.kind == "adaptbalanced" && draw_.small_class == "sample_other")
      fill(batch, classes_, size_, random_);
    return batch;
  }

 private:
  const Batches& classes_;
  const ClusterDraw& draw_;
  RandomSequence& random_;
  std::vector<Deck> decks_;
  std::size_t size_, count_ = 0, each_ = 0;
};

Rows npairs(const Batches& classes, const ClusterDraw& draw, RandomSequence& random) {
  Rows batch;
  std::set<std::uint64_t> met;
  while (static_cast<std::int64_t>(batch.size()) < draw.batch) {
    std::uint64_t chosen = random.below(classes.size());
    // The last draw must not leave the batch with a single class: it would have no negative.
    const bool last = static_cast<std::int64_t>(batch.size()) + draw.images >= draw.batch;
    if (last && met.size() == 1 && met.contains(chosen)) chosen = (chosen + 1) % classes.size();
    met.insert(chosen);
    const Rows& one = classes[chosen];
    for (std::int64_t i = 0; i < draw.images; ++i) batch.push_back(one[random.below(one.size())]);
  }
  batch.resize(static_cast<std::size_t>(draw.batch));
  return batch;
}

/// A permutation cut into batches; those of a single class are left out.
Batches random_batches(const Batches& classes, const ClusterDraw& draw, RandomSequence& random) {
  std::vector<std::pair<std::int64_t, std::size_t>> all;
  for (std::size_t c = 0; c < classes.size(); ++c)
    for (const std::int64_t image : classes[c]) all.emplace_back(image, c);
  random.shuffle(all);
  Batches batches;
  const auto size = static_cast<std::size_t>(draw.batch);
  for (std::size_t first = 0; first + size <= all.size(); first += size) {
    Rows batch;
    std::set<std::size_t> met;
    for (std::size_t i = first; i < first + size; ++i) {
      batch.push_back(all[i].first);
      met.insert(all[i].second);
    }
    if (met.size() > 1) batches.push_back(std::move(batch));
  }
  return batches;
}

}  // namespace

Batches cluster_batches(const Batches& classes, const ClusterDraw& draw, RandomSequence& random) {
  const std::int64_t images = size_of(classes);
  if (classes.size() < 2) return {};
  ClusterDraw own = draw;
  own.batch = std::min(draw.batch, images);
  if (draw.kind == "randombatch") return random_batches(classes, own, random);
  Batches batches;
  if (draw.kind == "npairs") {
    for (std::int64_t b = 0; b < (images + own.batch - 1) / own.batch; ++b)
      batches.push_back(npairs(classes, own, random));
    return batches;
  }
  own.images = std::max<std::int64_t>(1, std::min(own.images, own.batch / 2));
  Balanced balanced(classes, own, random);
  const std::int64_t count = draw.kind == "balanced_old" && images > own.batch
                                 ? (images - 1) / own.batch
                                 : images / own.batch;
  for (std::int64_t b = 0; b < count; ++b) batches.push_back(balanced.next());
  return batches;
}

Batches in_turn(const std::vector<Batches>& clusters) {
  std::size_t rounds = 0;
  for (const Batches& one : clusters) rounds = std::max(rounds, one.size());
  Batches plan;
  for (std::size_t round = 0; round < rounds; ++round)
    for (const Batches& one : clusters)
      if (!one.empty()) plan.push_back(one[round % one.size()]);
  return plan;
}

namespace {

/// Batches from one cluster each; the clusters, which the loss `divide` decides, take turns.
class DivideSampler final : public Sampler {
 public:
  struct Options {
    std::string kind = "adaptbalanced";
    std::int64_t images = 2;
    std::string small_class = "sample_other";
    static constexpr std::tuple fields{
        field("kind", &Options::kind,
              "how a batch is drawn from its cluster: as many images of each class as `images`, "
              "adapted to the cluster (adaptbalanced) or with repeats (balanced_old); classes and "
              "images with replacement (npairs); any images (randombatch)",
              "adaptbalanced|balanced_old|npairs|randombatch"),
        field("images", &Options::images, "images of a class in a batch", {1, 1e6}),
        field("small_class", &Options::small_class,
              "a class of fewer images: the batch is filled with others, the class repeats its "
              "images, or the batch stays smaller",
              "sample_other|duplicate|smaller_batch"),
    };
  };

  DivideSampler(Options options, const Setup& setup)
      : options_(std::move(options)), seed_(setup.seed), labels_(setup.labels) {
    if (setup.batch_size != 0) batch_ = setup.batch_size;
    if (batch_ % options_.images != 0 || batch_ / options_.images < 2)
      throw UsageError(fmt::format(
          "a batch of {} cannot hold {} images of each of two or more classes\n  take a batch size "
          "that is a multiple of sampler.images, and at least twice as large",
          batch_, options_.images));
    if (images_by_class(labels_).size() < 2)
      throw UsageError("the training set has a single class: there are no negatives");
  }

  Batches plan(std::int64_t epoch) const override {
    std::map<std::int64_t, std::map<std::int64_t, Rows>> clusters;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const std::int64_t part = parts_.empty() ? 0 : parts_[i];
      if (part >= 0) clusters[part][labels_[i]].push_back(static_cast<std::int64_t>(i));
    }
    const ClusterDraw draw{batch_, options_.images, options_.kind, options_.small_class};
    std::vector<Batches> all;
    for (const auto& [part, by_class] : clusters) {
      Batches classes;
      for (const auto& [label, images] : by_class) classes.push_back(images);
      RandomSequence random(stream(seed_, epoch).split(static_cast<std::uint64_t>(part)));
      all.push_back(cluster_batches(classes, draw, random));
    }
    return in_turn(all);
  }

  void before_epoch(EpochView& view) override {
    parts_.assign(view.parts().begin(), view.parts().end());
  }
  std::map<std::string, Tensor> state() const override {
    if (parts_.empty()) return {};
    return {{"parts", Tensor::of<std::int64_t>({static_cast<std::int64_t>(parts_.size())},
                                               std::span<const std::int64_t>(parts_))}};
  }
  void restore(const std::map<std::string, Tensor>& state) override {
    const auto found = state.find("parts");
    if (found == state.end()) return;
    if (found->second.size() != static_cast<std::int64_t>(labels_.size()))
      throw FormatError(fmt::format("the checkpoint knows the clusters of {} images, there are {}",
                                    found->second.size(), labels_.size()));
    const auto values = found->second.data<std::int64_t>();
    parts_.assign(values.begin(), values.end());
  }
  std::int64_t batch_size() const override { return batch_; }
  std::string epoch_meaning() const override {
    return "the clusters take turns until the largest has shown as many images as it has";
  }
  Guarantee guarantee() const override {
    return {.images_per_class = 1, .classes = 2, .one_part = true};
  }

 private:
  Options options_;
  std::uint64_t seed_;
  std::vector<std::int64_t> labels_;
  std::int64_t batch_ = 80;
  std::vector<std::int64_t> parts_;  // the cluster of every image; empty: one
};

const Register<Sampler, DivideSampler> divide_sampler{{
    .name = "divide",
    .summary = "batches from one cluster of the training images each, for the loss divide",
    .paper = "Sanakoyeu et al., Improving Deep Metric Learning by Divide and Conquer, TPAMI 2021",
    .details = "the place in the list of a class is kept within an epoch; the published code keeps "
               "it until the next clustering",
}};

}  // namespace
}  // namespace dml
