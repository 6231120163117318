#include "dml/samplers/divide.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "dml/divide/criteria.hpp"
#include "dml/divide/division.hpp"
#include "dml/divide/masks.hpp"
#include "dml/loss.hpp"
#include "dml/optimizer.hpp"
#include "dml/sampler.hpp"

namespace dml::division {
namespace {

constexpr std::int64_t classes = 8, per_class = 5, images = classes * per_class, dim = 16;

Tensor normal(const Shape& shape, std::uint64_t seed, DType type) {
  Tensor x = Tensor::empty(shape, type);
  init::normal(1)(x, Random(seed, Purpose::weights));
  return x;
}

/// Images of class c, c / 2 being the place of a blob far from the others.
class Blobs final : public EpochView {
 public:
  explicit Blobs(std::int64_t epoch)
      : epoch_(epoch), features_(normal({images, dim}, 1, DType::f32)) {
    for (std::int64_t i = 0; i < images; ++i) {
      labels_.push_back(i % classes);
      features_.raw<float>()[i * dim + i % classes / 2] += 30;
    }
  }
  std::int64_t epoch() const override { return epoch_; }
  const Tensor& embeddings() override { return features_; }
  const Tensor& features() override { return features_; }
  std::span<const std::int64_t> labels() const override { return labels_; }
  Device& device() override { return device_; }

 private:
  std::int64_t epoch_;
  Tensor features_;
  std::vector<std::int64_t> labels_;
  Device device_{Backend::cpu, 2};
};

struct Setting {
  Device device{Backend::reference};
  ParameterStore store;
  Parameter& net;
  Parameter& x;
  std::unique_ptr<Loss> loss;

  explicit Setting(Settings settings)
      : store(device, DType::f64),
        net(store.add("conv1.weight", {2}, init::zeros())),
        x(store.add("embedding.x", {12, dim}, init::normal(1))),
        loss(Registry<Loss>::make("divide", settings,
                                  {.scope = Scope(store) / "loss",
                                   .dim = dim,
                                   .features = dim,
                                   .classes = classes,
                                   .images = images})) {}
  std::set<std::int64_t> parts_of(std::int64_t epoch) {
    Blobs view(epoch);
    loss->before_epoch(view);
    return {view.parts().begin(), view.parts().end()};
  }
  Var run(std::int64_t image = 0, std::int64_t epoch = 0) {
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < 12; ++i) of.push_back(i % 4);
    const Labels labels(of, classes);
    const std::vector<std::int64_t> samples(12, image);
    const auto tape = Tape::train(device);
    const Var z = tape->leaf(x);
    return (*loss)(
        {.embedding = z, .features = z, .labels = labels, .samples = samples, .epoch = epoch});
  }
};

TEST_CASE("divide: clusters double with every clustering, masks are copied to both children") {
  Setting setting({{"nb_clusters", "4"}, {"mod_epoch", "2"}, {"mod_epoch_freeze", "1"}});
  CHECK(setting.parts_of(0) == std::set<std::int64_t>{0});
  CHECK(setting.net.lr_scale == 0);
  CHECK(setting.x.lr_scale == 1);
  Parameter& one = *setting.store.find("loss.masks.1");
  for (double& value : one.value.data<double>()) value = 0.25;
  setting.parts_of(1);
  CHECK(setting.net.lr_scale == 1);
  CHECK(setting.parts_of(2).size() == 2);
  for (const double value : setting.store.find("loss.masks.2")->value.data<double>())
    CHECK(value == 0.25);
  Parameter& two = *setting.store.find("loss.masks.2");
  for (std::int64_t i = 0; i < 2 * dim; ++i) two.value.raw<double>()[i] = i < dim ? 1 : 2;
  setting.parts_of(3);
  CHECK(setting.parts_of(4) == std::set<std::int64_t>{0, 1, 2, 3});
  const auto four = setting.store.find("loss.masks.4")->value.data<double>();
  for (std::int64_t i = 0; i < 4 * dim; ++i)
    CHECK(four[static_cast<std::size_t>(i)] == (i / dim < 2 ? 1 : 2));
  CHECK(setting.parts_of(6) == std::set<std::int64_t>{0, 1, 2, 3});  // no further
}

TEST_CASE("divide: a learner is its mask, until the merging phase") {
  Setting setting({{"nb_clusters", "2"},
                   {"hierarchy", "none"},
                   {"criterion", "triplet_all"},
                   {"force_full_embedding_epoch", "50"}});
  setting.parts_of(0);
  Parameter& masks = *setting.store.find("loss.masks.2");
  for (std::int64_t i = 0; i < 2 * dim; ++i)
    masks.value.raw<double>()[i] = (i < dim) == (i % dim < dim / 2) ? 1 : 0.5;
  const double first = setting.run(0).value().item();
  std::int64_t other = 0;
  Blobs view(1);
  setting.loss->before_epoch(view);
  while (view.parts()[static_cast<std::size_t>(other)] == view.parts()[0]) ++other;
  CHECK(setting.run(other).value().item() != doctest::Approx(first));
  const double merged = setting.run(0, 50).value().item();
  CHECK(setting.run(other, 50).value().item() == doctest::Approx(merged).epsilon(1e-12));
  const Var loss = setting.run(0, 50);
  loss.tape().backward(loss);
  CHECK_FALSE(masks.grad.defined());
}

TEST_CASE("divide: gradients agree with central differences for every criterion") {
  for (const Settings& settings :
       {Settings{{"miner", "easypeasy"}}, Settings{{"miner", "distanceweighted"}, {"nu", "0.1"}},
        Settings{{"class_beta", "true"}, {"miner", "EPSHN"}, {"margin", "0.6"}},
        Settings{{"criterion", "triplet"}, {"miner", "HPHN"}},
        Settings{{"criterion", "triplet_semihard"}, {"soft_loss", "true"}},
        Settings{{"criterion", "triplet_all"}},
        Settings{{"criterion", "npairs"}, {"learn_alpha", "true"}},
        Settings{{"inner", "contrastive"}}}) {
    Settings all = settings;
    all["nb_clusters"] = "2";
    all["hierarchy"] = "none";
    Setting setting(all);
    setting.parts_of(0);
    Parameter& masks = *setting.store.find("loss.masks.2");
    masks.value = normal({2, dim}, 4, DType::f64);
    const Var loss = setting.run();
    loss.tape().backward(loss);
    for (Parameter& one : setting.store.all()) {
      if (!one.grad.defined()) continue;
      CAPTURE(one.name);
      for (std::int64_t i = 0; i < one.value.size();
           i += std::max<std::int64_t>(1, one.value.size() / 12)) {
        double& at = one.value.raw<double>()[i];
        const double middle = at, h = 1e-6;
        at = middle + h;
        const double above = setting.run().value().item();
        at = middle - h;
        const double below = setting.run().value().item();
        at = middle;
        CHECK(std::abs((above - below) / (2 * h) - one.grad.raw<double>()[i]) < 1e-5);
      }
    }
  }
}

TEST_CASE("divide: the least assignment is the least of all permutations") {
  RandomSequence random(Random(3, Purpose::mine));
  for (int round = 0; round < 20; ++round) {
    std::vector<std::vector<std::int64_t>> costs(5, std::vector<std::int64_t>(5));
    for (auto& row : costs)
      for (std::int64_t& cost : row) cost = static_cast<std::int64_t>(random.below(30));
    std::vector<std::size_t> order{0, 1, 2, 3, 4};
    std::int64_t least = 1000;
    do {
      std::int64_t total = 0;
      for (std::size_t i = 0; i < 5; ++i) total += costs[i][order[i]];
      least = std::min(least, total);
    } while (std::next_permutation(order.begin(), order.end()));
    const auto found = least_assignment(costs);
    CHECK(std::set<std::int64_t>(found.begin(), found.end()).size() == 5);
    std::int64_t total = 0;
    for (std::size_t i = 0; i < 5; ++i) total += costs[i][static_cast<std::size_t>(found[i])];
    CHECK(total == least);
  }
}

TEST_CASE("divide: adaptive centroids begin with the clusters before") {
  // Four groups at the corners of a rectangle: across its longer side is the better cut, the other
  // one is stable too.
  Device device(Backend::cpu, 1);
  constexpr std::int64_t rows = 32;
  Tensor x({rows, 2}, DType::f32);
  std::vector<std::int64_t> labels, upper;
  for (std::int64_t i = 0; i < rows; ++i) {
    const float spread = 0.01F * static_cast<float>(i % 7);
    x.row<float>(i)[0] = (i % 2 == 0 ? -5.0F : 5.0F) + spread;
    x.row<float>(i)[1] = (i % 4 < 2 ? -3.0F : 3.0F) - spread;
    labels.push_back(i / 4);
    upper.push_back(i % 4 < 2 ? 0 : 1);
  }
  std::vector<std::int64_t> before = upper;
  before[3] = 0;  // was in the wrong one
  before[5] = none;
  const auto divided = [&](bool adaptive, std::span<const std::int64_t> previous) {
    return divide_images(device, x, labels, previous, {.clusters = 2, .adaptive = adaptive});
  };
  CHECK(divided(true, before) == upper);
  CHECK(divided(false, before) != upper);
  CHECK(divided(true, {}) == divided(false, {}));
  // A cluster that lost all its images begins with some image.
  CHECK(count_of(divided(true, std::vector<std::int64_t>(rows, 0))) == 2);
}

TEST_CASE("divide: negatives are drawn in the proportion of their weights") {
  const DrawRow row{4, 1};
  const std::vector<double> weight{1, 0, 2, 5};
  std::map<std::int64_t, int> met;
  RandomSequence random(Random(8, Purpose::mine));
  for (int i = 0; i < 8000; ++i) {
    std::vector<double> uniform(4);
    for (double& one : uniform) one = random.uniform();
    std::int64_t chosen = 0;
    row(weight.data(), uniform.data(), &chosen);
    ++met[chosen];
  }
  CHECK(met[1] == 0);
  CHECK(met[0] == doctest::Approx(1000).epsilon(0.1));
  CHECK(met[2] == doctest::Approx(2000).epsilon(0.1));
  CHECK(met[3] == doctest::Approx(5000).epsilon(0.05));
}

TEST_CASE("divide sampler: every batch is of one cluster, the clusters take turns") {
  std::vector<std::int64_t> labels(static_cast<std::size_t>(images));
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<std::int64_t>(i) % classes;
  for (const std::string kind : {"adaptbalanced", "balanced_old", "npairs", "randombatch"}) {
    CAPTURE(kind);
    const auto sampler = Registry<Sampler>::make("divide", {{"kind", kind}, {"images", "2"}},
                                                 {.labels = labels, .batch_size = 6, .seed = 1});
    CHECK_FALSE(sampler->plan(0).empty());
    Blobs view(0);
    std::vector<std::int64_t> parts(labels.size());
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = labels[i] < 5 ? 0 : 1;
    parts[0] = none;
    view.set_parts(parts);
    sampler->before_epoch(view);
    const auto plan = sampler->plan(3);
    CHECK(plan == sampler->plan(3));
    for (std::size_t b = 0; b < plan.size(); ++b) {
      CHECK(plan[b].size() == 6);
      std::set<std::int64_t> met, of;
      for (const std::int64_t i : plan[b]) {
        of.insert(parts[static_cast<std::size_t>(i)]);
        met.insert(labels[static_cast<std::size_t>(i)]);
      }
      CHECK(of == std::set<std::int64_t>{static_cast<std::int64_t>(b % 2)});
      CHECK(met.size() >= 2);
    }
  }
}

TEST_CASE("divide: what cannot be is refused in words") {
  CHECK_THROWS_WITH_AS(Setting(Settings{{"nb_clusters", "9"}}), doctest::Contains("8 classes"),
                       UsageError);
  CHECK_THROWS_WITH_AS(Setting(Settings{{"nb_clusters", "4"}, {"mod_epoch_freeze", "2"}}),
                       doctest::Contains("must be below"), UsageError);
  CHECK_THROWS_WITH_AS(Setting(Settings{{"nb_clusters", "4"}, {"force_full_embedding_epoch", "3"}}),
                       doctest::Contains("later one"), UsageError);
  CHECK_THROWS_WITH_AS(
      Setting(
          Settings{{"nb_clusters", "4"}, {"mod_epoch_freeze", "1"}, {"embedding_layer", "red"}}),
      doctest::Contains("nothing would learn"), UsageError);
  Setting setting(Settings{{"nb_clusters", "1"}, {"miner", "distanceweighted"}});
  setting.parts_of(0);
  const Labels alone({0, 1, 2}, classes);
  const auto tape = Tape::train(setting.device);
  const Var z = tape->input(normal({3, dim}, 2, DType::f64));
  CHECK_THROWS_WITH_AS((*setting.loss)({.embedding = z, .features = z, .labels = alone}),
                       doctest::Contains("no triplet"), ShapeError);
}

}  // namespace
}  // namespace dml::division
