#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "dml/loss.hpp"
#include "dml/samplers/batch_match.hpp"
#include "dml/samplers/coreset.hpp"
#include "dml/samplers/draws.hpp"
#include "dml/samplers/tuple_weights.hpp"

namespace dml {
namespace {

using Plan = std::vector<std::vector<std::int64_t>>;

/// Classes of the given sizes, one after the other.
std::vector<std::int64_t> labels_of(const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> labels;
  for (std::size_t c = 0; c < sizes.size(); ++c)
    labels.insert(labels.end(), static_cast<std::size_t>(sizes[c]), static_cast<std::int64_t>(c));
  return labels;
}

std::unique_ptr<Sampler> make(const std::string& name, const Settings& settings,
                              const Sampler::Setup& setup) {
  return Registry<Sampler>::make(name, settings, setup);
}

std::map<std::int64_t, std::int64_t> count_classes(const std::vector<std::int64_t>& batch,
                                                   const std::vector<std::int64_t>& labels) {
  std::map<std::int64_t, std::int64_t> count;
  for (const std::int64_t i : batch) ++count[labels.at(static_cast<std::size_t>(i))];
  return count;
}

TEST_CASE("m_per_class: different classes with m images; length is cut to whole batches") {
  const std::vector<std::int64_t> labels = labels_of({9, 9, 9, 2, 9, 9, 9});
  const auto sampler = make("m_per_class", {{"images", "3"}, {"length", "100"}},
                            {.labels = labels, .batch_size = 12, .seed = 1});
  const Plan plan = sampler->plan(0);
  CHECK(plan.size() == 8);
  for (const auto& batch : plan) {
    const auto classes = count_classes(batch, labels);
    CHECK(classes.size() == 4);
    for (const auto& [label, count] : classes) CHECK(count == 3);
    for (std::size_t i = 0; i < batch.size(); i += 3) {
      const std::set<std::int64_t> images(batch.begin() + static_cast<std::ptrdiff_t>(i),
                                          batch.begin() + static_cast<std::ptrdiff_t>(i + 3));
      const bool small = labels[static_cast<std::size_t>(batch[i])] == 3;
      CHECK(images.size() <= (small ? 2U : 3U));
      if (!small) CHECK(images.size() == 3);
    }
  }
  CHECK_THROWS_AS(make("m_per_class", {{"images", "5"}}, {.labels = labels, .batch_size = 12}),
                  UsageError);
  CHECK_THROWS_AS(make("m_per_class", {{"images", "1"}}, {.labels = labels, .batch_size = 12}),
                  UsageError);
}

TEST_CASE("m_per_class: cover = classes shows every class before any comes again") {
  const std::vector<std::int64_t> labels = labels_of(std::vector<std::int64_t>(10, 5));
  const auto shown_most = [&](const std::string& cover) {
    const auto sampler = make("m_per_class", {{"images", "2"}, {"length", "80"}, {"cover", cover}},
                              {.labels = labels, .batch_size = 8, .seed = 3});
    std::map<std::int64_t, int> shown;
    for (const auto& batch : sampler->plan(0)) {
      const auto classes = count_classes(batch, labels);
      CHECK(classes.size() == 4);
      for (const auto& [label, count] : classes) ++shown[label];
    }
    int most = 0;
    for (const auto& [label, times] : shown) most = std::max(most, times);
    return std::pair{shown.size(), most};
  };
  // 10 batches of 4 of 10 classes: four times each.
  CHECK(shown_most("classes") == std::pair<std::size_t, int>{10, 4});
  CHECK(shown_most("batch").second > 4);
}

TEST_CASE("class_random and balanced: with and without repetition of classes") {
  const std::vector<std::int64_t> labels = labels_of({4, 4, 4, 4});
  const Sampler::Setup setup{.labels = labels, .batch_size = 8, .seed = 4};
  bool repeated = false, own_pair = false;
  for (std::int64_t epoch = 0; epoch < 20; ++epoch)
    for (const auto& batch : make("class_random", {}, setup)->plan(epoch)) {
      repeated = repeated || count_classes(batch, labels).size() < 4;
      for (std::size_t i = 0; i < batch.size(); i += 2) {
        CHECK(labels[static_cast<std::size_t>(batch[i])] ==
              labels[static_cast<std::size_t>(batch[i + 1])]);
        own_pair = own_pair || batch[i] == batch[i + 1];
      }
    }
  CHECK(repeated);
  CHECK(own_pair);
  for (std::int64_t epoch = 0; epoch < 20; ++epoch)
    for (const auto& batch : make("balanced", {{"images", "2"}}, setup)->plan(epoch))
      CHECK(count_classes(batch, labels).size() == 4);
  CHECK_THROWS_AS(make("balanced", {{"images", "1"}}, setup), UsageError);
}

TEST_CASE("full_random: there is a positive pair in every batch") {
  const std::vector<std::int64_t> labels = labels_of(std::vector<std::int64_t>(200, 3));
  const auto sampler = make("full_random", {}, {.labels = labels, .batch_size = 4, .seed = 5});
  for (const auto& batch : sampler->plan(0)) {
    CHECK(batch.size() == 4);
    CHECK(count_classes(batch, labels).size() < 4);
  }
  CHECK_THROWS_AS(make("full_random", {}, {.labels = labels, .batch_size = 1}), UsageError);
}

TEST_CASE("proportional: every image once, classes by their share") {
  const std::vector<std::int64_t> labels = labels_of({60, 30, 10});
  const auto sampler = make("proportional", {}, {.labels = labels, .batch_size = 20, .seed = 6});
  const Plan plan = sampler->plan(2);
  CHECK(plan.size() == 5);
  CHECK(share_shown(plan, 100) == 1);
  for (const auto& batch : plan) {
    auto classes = count_classes(batch, labels);
    CHECK(std::abs(classes[0] - 12) <= 1);
    CHECK(std::abs(classes[1] - 6) <= 1);
    CHECK(std::abs(classes[2] - 2) <= 1);
  }
}

TEST_CASE("fixed_triplets: the same triplets in every epoch, in another order") {
  const std::vector<std::int64_t> labels = labels_of({5, 1, 4});
  const auto sampler =
      make("fixed_triplets", {{"count", "10"}}, {.labels = labels, .batch_size = 6, .seed = 7});
  const auto triplets = [&](std::int64_t epoch) {
    std::vector<std::vector<std::int64_t>> all;
    for (const auto& batch : sampler->plan(epoch))
      for (std::size_t i = 0; i < batch.size(); i += 3)
        all.emplace_back(batch.begin() + static_cast<std::ptrdiff_t>(i),
                         batch.begin() + static_cast<std::ptrdiff_t>(i + 3));
    return all;
  };
  auto one = triplets(0), two = triplets(1);
  CHECK(one != two);
  for (const auto& t : one) {
    const auto label = [&](std::size_t i) { return labels[static_cast<std::size_t>(t[i])]; };
    CHECK(t[0] != t[1]);
    CHECK(label(0) == label(1));
    CHECK(label(0) != label(2));
  }
  std::sort(one.begin(), one.end());
  std::sort(two.begin(), two.end());
  CHECK(one == two);
  CHECK(one.size() == 10);
  CHECK_THROWS_AS(make("fixed_triplets", {}, {.labels = labels_of({1, 1}), .batch_size = 6}),
                  UsageError);
}

TEST_CASE("hierarchical: every combination of super-classes, half a batch of each") {
  const std::vector<std::int64_t> labels = labels_of({6, 6, 6, 6, 6, 6, 6, 1});
  std::vector<std::int64_t> groups;
  for (const std::int64_t label : labels) groups.push_back(label / 2);
  const Sampler::Setup setup{.labels = labels, .batch_size = 8, .seed = 8, .groups = groups};
  const auto sampler =
      make("hierarchical", {{"images", "2"}, {"batches_per_super_tuple", "3"}}, setup);
  const Plan plan = sampler->plan(0);
  CHECK(plan.size() == 6 * 3);
  std::map<std::set<std::int64_t>, int> combinations;
  for (const auto& batch : plan) {
    CHECK(batch.size() == 8);
    std::map<std::int64_t, int> of_group;
    for (const std::int64_t i : batch) ++of_group[groups[static_cast<std::size_t>(i)]];
    CHECK(of_group.size() == 2);
    std::set<std::int64_t> both;
    for (const auto& [group, count] : of_group) {
      CHECK(count == 4);
      both.insert(group);
    }
    ++combinations[both];
    for (const auto& [label, count] : count_classes(batch, labels)) CHECK(count == 2);
  }
  CHECK(combinations.size() == 6);
  for (const auto& [both, count] : combinations) CHECK(count == 3);
  CHECK_THROWS_WITH_AS(make("hierarchical", {}, {.labels = labels, .batch_size = 8}),
                       doctest::Contains("no super-classes"), UsageError);
}

TEST_CASE("share_shown: images that occur, however often") {
  CHECK(share_shown({{0, 0, 1}, {1}}, 4) == 0.5);
  CHECK(share_shown({}, 4) == 0);
}

TEST_CASE("draws: in proportion to weights, and without repetition") {
  RandomSequence random(Random(1, Purpose::shuffle));
  std::map<std::int64_t, int> count;
  for (int i = 0; i < 6000; ++i) ++count[draw_weighted({1, 0, 3, 2}, random)];
  CHECK(count[1] == 0);
  CHECK(std::abs(count[0] - 1000) < 120);
  CHECK(std::abs(count[2] - 3000) < 160);
  const auto some = draw_distinct(10, 10, random);
  CHECK(std::set<std::int64_t>(some.begin(), some.end()).size() == 10);
}

/// A training set that was embedded once.
class Embedded final : public EpochView {
 public:
  Embedded(Tensor embeddings, std::vector<std::int64_t> labels)
      : embeddings_(std::move(embeddings)), labels_(std::move(labels)) {}
  std::int64_t epoch() const override { return 0; }
  const Tensor& embeddings() override { return embeddings_; }
  std::span<const std::int64_t> labels() const override { return labels_; }

 private:
  Tensor embeddings_;
  std::vector<std::int64_t> labels_;
};

Tensor normal_rows(std::int64_t n, std::int64_t d, std::uint64_t seed) {
  Tensor x = Tensor::empty({n, d}, DType::f32);
  const Random random(seed, Purpose::weights);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.raw<float>()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  return x;
}

TEST_CASE("samplers by embeddings: whole batches, repeatable, and restored from their state") {
  const std::vector<std::int64_t> labels = labels_of(std::vector<std::int64_t>(12, 10));
  const Sampler::Setup setup{.labels = labels, .batch_size = 12, .seed = 9};
  const Tensor first = normal_rows(120, 6, 1);
  for (const char* name :
       {"greedy_coreset", "d2_coreset", "fid_batchmatch", "disthist_batchmatch"}) {
    CAPTURE(name);
    const Settings settings{{"big_batch", "60"}, {"images", "3"}};
    const auto sampler = make(name, settings, setup);
    const Plan blind = sampler->plan(0);
    CHECK(blind.size() == 10);
    Embedded view(first, labels);
    sampler->before_epoch(view);
    const Plan seeing = sampler->plan(0);
    CHECK(seeing != blind);
    CHECK(sampler->plan(0) == seeing);
    for (const auto& batch : seeing) {
      CHECK(batch.size() == 12);
      for (const auto& [label, count] : count_classes(batch, labels)) CHECK(count >= 3);
    }
    // What a step saw changes the next plan, and a restored sampler makes the same.
    std::vector<std::int64_t> images(120);
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<std::int64_t>(i);
    sampler->after_step(images, normal_rows(120, 6, 2));
    const Plan later = sampler->plan(0);
    CHECK(later != seeing);
    const auto other = make(name, settings, setup);
    other->restore(sampler->state());
    CHECK(other->plan(0) == later);
    CHECK_THROWS_AS(sampler->after_step(images, normal_rows(120, 5, 2)), UsageError);
    // The stored embeddings stay what they were with update = never.
    Settings fixed = settings;
    fixed["update"] = "never";
    const auto still = make(name, fixed, setup);
    still->before_epoch(view);
    still->after_step(images, normal_rows(120, 6, 2));
    CHECK(still->plan(0) == seeing);
    // A projection is another choice.
    Settings narrow = settings;
    narrow["projection"] = "2";
    const auto projected = make(name, narrow, setup);
    projected->before_epoch(view);
    CHECK(projected->plan(0) != seeing);
    CHECK_THROWS_AS(make(name, {{"big_batch", "8"}}, setup), UsageError);
  }
}

TEST_CASE("greedy_coreset: momentum of renewed embeddings") {
  const std::vector<std::int64_t> labels = labels_of({2, 2});
  const auto sampler =
      make("greedy_coreset",
           {{"update", "epoch"}, {"momentum", "0.25"}, {"momentum_rate", "2"}, {"big_batch", "4"}},
           {.labels = labels, .batch_size = 4});
  const auto show = [&](std::initializer_list<float> values) {
    Embedded view(Tensor::of<float>({4, 1}, values), labels);
    sampler->before_epoch(view);
    return sampler->state().at("stored").raw<float>()[0];
  };
  CHECK(show({1, 0, 0, 0}) == 1);
  // delta = 0.75 (3 - 1) = 1.5; stored 3 + 2 * 1.5.
  CHECK(show({3, 0, 0, 0}) == 6);
  // delta = 0.25 * 1.5 + 0.75 (2 - 6) = -2.625; stored 2 - 5.25.
  CHECK(show({2, 0, 0, 0}) == doctest::Approx(-3.25));
}

TEST_CASE("coresets: cover what is far apart") {
  // Four tight clusters of ten points.
  Points points{.n = 40, .d = 2};
  const Random random(3, Purpose::weights);
  for (std::uint64_t i = 0; i < 40; ++i) {
    points.values.push_back(static_cast<double>(i % 2) * 10 + 0.01 * random.normal(2 * i));
    points.values.push_back(static_cast<double>(i / 20) * 10 + 0.01 * random.normal(2 * i + 1));
  }
  const auto cluster = [](std::int64_t i) { return i % 2 + 2 * (i / 20); };
  std::set<std::int64_t> found;
  const auto greedy = greedy_coreset(points, 4, 5);
  for (const std::int64_t i : greedy) found.insert(cluster(i));
  CHECK(found.size() == 4);
  // Points that coincide are all selected at last, none twice.
  const Points same{.n = 3, .d = 1, .values = {1, 1, 1}};
  const auto all = greedy_coreset(same, 5, 1);
  CHECK(std::set<std::int64_t>(all.begin(), all.end()).size() == 3);
  D2Coreset coreset(same, 1);
  coreset.select(0);
  CHECK(coreset.probabilities() == std::vector<double>{0, 0.5, 0.5});
}

TEST_CASE("batch match: nothing is more alike than the set itself") {
  const Points big = Points::of(normal_rows(60, 5, 4));
  std::vector<std::int64_t> all(60), half, far;
  for (std::size_t i = 0; i < 60; ++i) all[i] = static_cast<std::int64_t>(i);
  half.assign(all.begin(), all.begin() + 20);
  for (const std::int64_t i : all)
    if (big.row(i)[0] > 0.3) far.push_back(i);
  const FrechetCost frechet(big);
  const HistogramCost histogram(big);
  CHECK(frechet(big) == doctest::Approx(0).epsilon(1e-6));
  CHECK(histogram(big) == doctest::Approx(0));
  CHECK(frechet(big.at(half)) < frechet(big.at(far)));
  CHECK(histogram(big.at(half)) > 0);
  // One direction, normal distributions of deviations 1 and 3: (1 - 3)^2.
  const Points a{.n = 3, .d = 1, .values = {-1, 0, 1}}, b{.n = 3, .d = 1, .values = {-3, 0, 3}};
  CHECK(FrechetCost(a)(b) == doctest::Approx(4).epsilon(1e-6));
}

TEST_CASE("tuples_to_weights: counts equal those of lists of tuples") {
  const std::int64_t n = 24;
  Points units = Points::of(normal_rows(n, 3, 6));
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < n; ++i) {
    classes.push_back(i % 5);
    const double length = std::sqrt(squared_distance(units.row(i), std::vector<double>(3, 0)));
    for (std::int64_t c = 0; c < 3; ++c)
      units.values[static_cast<std::size_t>(i * 3 + c)] /= length;
  }
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  const auto distance = [&](std::int64_t i, std::int64_t j) {
    return std::sqrt(squared_distance(units.row(i), units.row(j)));
  };
  const auto product = [&](std::int64_t i, std::int64_t j) {
    return 1 - squared_distance(units.row(i), units.row(j)) / 2;
  };
  for (const double margin : {-0.3, 0.0, 0.2, 5.0}) {
    std::vector<double> expected(at(n), 0);
    for (std::int64_t a = 0; a < n; ++a)
      for (std::int64_t p = 0; p < n; ++p)
        for (std::int64_t k = 0; k < n; ++k)
          if (p != a && classes[at(p)] == classes[at(a)] && classes[at(k)] != classes[at(a)] &&
              distance(a, k) - distance(a, p) <= margin)
            for (const std::int64_t i : {a, p, k}) ++expected[at(i)];
    CHECK(count_in_triplets(units, classes, margin) == expected);
  }
  std::vector<double> expected(at(n), 0);
  for (std::int64_t a = 0; a < n; ++a) {
    double least = 9, most = -9;
    for (std::int64_t i = 0; i < n; ++i)
      if (i != a && classes[at(i)] == classes[at(a)]) least = std::min(least, product(a, i));
    for (std::int64_t i = 0; i < n; ++i)
      if (classes[at(i)] != classes[at(a)]) most = std::max(most, product(a, i));
    for (std::int64_t i = 0; i < n; ++i) {
      if (i == a) continue;
      const bool same = classes[at(i)] == classes[at(a)];
      if (same ? product(a, i) - 0.1 < most : product(a, i) + 0.1 > least) {
        ++expected[at(a)];
        ++expected[at(i)];
      }
    }
  }
  CHECK(count_in_similar_pairs(units, classes, 0.1) == expected);
}

TEST_CASE("tuples_to_weights: only images that occur in tuples are drawn") {
  // Classes 0 and 1 are mixed up, class 2 is far away.
  const std::vector<std::int64_t> labels = labels_of({10, 10, 10});
  Tensor x = normal_rows(30, 2, 7);
  for (std::int64_t i = 0; i < 30; ++i) {
    x.raw<float>()[2 * i] = i < 20 ? 1.F : -1.F;
    x.raw<float>()[2 * i + 1] *= 0.01F;
  }
  const auto sampler = make("tuples_to_weights", {}, {.labels = labels, .batch_size = 10});
  CHECK(sampler->plan(0).size() == 3);
  Embedded view(x, labels);
  sampler->before_epoch(view);
  for (const auto& batch : sampler->plan(0)) {
    CHECK(batch.size() == 10);
    for (const std::int64_t i : batch) CHECK(i < 20);
  }
  // With one class there is no tuple, and all images weigh the same.
  const std::vector<std::int64_t> one(30, 0);
  const auto even = make("tuples_to_weights", {}, {.labels = one, .batch_size = 10});
  Embedded same(x, one);
  even->before_epoch(same);
  CHECK(share_shown(even->plan(0), 30) > 0.4);
}

}  // namespace
}  // namespace dml
