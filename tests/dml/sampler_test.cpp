#include "dml/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "dml/samplers/group.hpp"

namespace dml {
namespace {

using Plan = std::vector<std::vector<std::int64_t>>;

/// Classes of the given sizes, images interleaved so that order and class are independent.
std::vector<std::int64_t> labels_of(const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> labels, left = sizes;
  for (bool any = true; any;) {
    any = false;
    for (std::size_t c = 0; c < left.size(); ++c) {
      if (left[c]-- <= 0) continue;
      labels.push_back(static_cast<std::int64_t>(c));
      any = true;
    }
  }
  return labels;
}

std::int64_t count(const Plan& plan) {
  std::int64_t n = 0;
  for (const auto& batch : plan) n += static_cast<std::int64_t>(batch.size());
  return n;
}

TEST_CASE("samplers: a plan is a function of seed and epoch alone") {
  const std::vector<std::int64_t> labels = labels_of({20, 14, 9, 17, 20});
  const std::multimap<std::string, Settings> all{
      {"group", {{"classes", "2"}, {"images", "4"}}},
      {"classes_times_images", {{"images", "4"}, {"classes", "2"}}},
      {"shuffle", {}},
      {"sequential", {}},
      {"m_per_class", {{"images", "4"}, {"length", "80"}}},
      {"m_per_class", {{"images", "2"}, {"length", "80"}, {"cover", "classes"}}},
      {"class_random", {{"images", "2"}}},
      {"full_random", {}},
      {"balanced", {{"images", "4"}}},
      {"proportional", {}},
      {"greedy_coreset", {}},
      {"d2_coreset", {}},
      {"fid_batchmatch", {}},
      {"disthist_batchmatch", {}}};
  for (const auto& [name, settings] : all) {
    const std::string called = name;  // clang 14 captures no part of a binding
    CAPTURE(called);
    const Sampler::Setup setup{.labels = labels, .batch_size = 8, .seed = 5};
    const auto one = Registry<Sampler>::make(name, settings, setup);
    const auto two = Registry<Sampler>::make(name, settings, setup);
    two->plan(3);
    CHECK(one->plan(7) == two->plan(7));
    CHECK(one->batch_size() == 8);
    CHECK((one->plan(0) == one->plan(1)) == (name == "sequential"));
    const auto other =
        Registry<Sampler>::make(name, settings, {.labels = labels, .batch_size = 8, .seed = 6});
    CHECK((one->plan(0) == other->plan(0)) == (name == "sequential"));
    for (const auto& batch : one->plan(2)) {
      CHECK(batch.size() == 8);
      std::map<std::int64_t, std::int64_t> images;
      for (const std::int64_t i : batch) ++images[labels.at(static_cast<std::size_t>(i))];
      CHECK(static_cast<std::int64_t>(images.size()) >= one->guarantee().classes);
      for (const auto& [label, number] : images) CHECK(number >= one->guarantee().images_per_class);
    }
  }
}

TEST_CASE("group sampler: chunks of the published code, sizes as on CUB") {
  // 60 images in the largest class, 9 in a chunk: 54 of the 61 places of a class are used.
  std::vector<std::int64_t> sizes(100, 60);
  for (std::size_t c = 0; c < 14; ++c) sizes[c] = 50 + static_cast<std::int64_t>(c % 10);
  const auto sampler = Registry<Sampler>::make("group", {}, {.labels = labels_of(sizes)});
  const Plan plan = sampler->plan(0);
  CHECK(plan.size() == 100);
  CHECK(count(plan) == 5400);
  // A class can fill two chunks of a batch: a known share of the batches.
  const std::vector<std::int64_t> labels = labels_of(sizes);
  int twice = 0;
  for (std::int64_t epoch = 0; epoch < 10; ++epoch)
    for (const auto& batch : sampler->plan(epoch)) {
      std::set<std::int64_t> classes;
      for (const std::int64_t i : batch) classes.insert(labels[static_cast<std::size_t>(i)]);
      twice += classes.size() < 6 ? 1 : 0;
    }
  // 15 pairs of chunks, 5 of 599 others being of the same class: 1 - (1 - 5/599)^15 = 0.118.
  CHECK(twice > 80);
  CHECK(twice < 160);
}

TEST_CASE("group sampler: small classes are doubled at most, or left out") {
  const auto chunks = group_chunks({{0, 1, 2, 3, 4, 5, 6, 7, 8}, {9, 10, 11}, {12, 13}}, 6);
  // M = 9: lists of 10, 6 and 4 entries.
  CHECK(chunks == Plan{{0, 1, 2, 3, 4, 5}, {9, 10, 11, 9, 10, 11}});
  CHECK(join_chunks(chunks, 2) == Plan{{0, 1, 2, 3, 4, 5, 9, 10, 11, 9, 10, 11}});
  CHECK(join_chunks(chunks, 3).empty());
}

TEST_CASE("group sampler: every chunk is of one class") {
  const std::vector<std::int64_t> labels = labels_of({30, 22, 11, 16});
  const auto sampler = Registry<Sampler>::make("group", {{"classes", "3"}, {"images", "5"}},
                                               {.labels = labels, .seed = 1});
  for (const auto& batch : sampler->plan(4))
    for (std::size_t first = 0; first < batch.size(); first += 5)
      for (std::size_t i = first; i < first + 5; ++i)
        CHECK(labels[static_cast<std::size_t>(batch[i])] ==
              labels[static_cast<std::size_t>(batch[first])]);
}

TEST_CASE("group sampler: what cannot give a batch is refused") {
  const Settings settings{{"classes", "2"}, {"images", "9"}};
  CHECK_THROWS_WITH_AS(Registry<Sampler>::make("group", settings, {.labels = labels_of({4, 4})}),
                       doctest::Contains("gives no batch"), UsageError);
  CHECK_THROWS_WITH_AS(
      Registry<Sampler>::make("group", settings, {.labels = labels_of({20, 20}), .batch_size = 32}),
      doctest::Contains("2 classes times 9 images make 18"), UsageError);
}

TEST_CASE("shuffle: every image once; the last batch is kept or dropped") {
  const std::vector<std::int64_t> labels(103, 0);
  const auto keep = Registry<Sampler>::make("shuffle", {}, {.labels = labels, .batch_size = 10});
  const Plan plan = keep->plan(1);
  CHECK(plan.size() == 11);
  std::set<std::int64_t> seen;
  for (const auto& batch : plan) seen.insert(batch.begin(), batch.end());
  CHECK(seen.size() == 103);
  CHECK(count(plan) == 103);
  const auto drop = Registry<Sampler>::make("shuffle", {{"drop_last", "true"}},
                                            {.labels = labels, .batch_size = 10});
  CHECK(drop->plan(1).size() == 10);
}

TEST_CASE("classes_times_images: distinct classes, and images dealt evenly") {
  const std::vector<std::int64_t> labels = labels_of({12, 12, 12, 12, 12, 12, 12});
  const auto sampler =
      Registry<Sampler>::make("classes_times_images", {{"images", "3"}, {"batches", "28"}},
                              {.labels = labels, .batch_size = 15, .seed = 2});
  std::map<std::int64_t, std::int64_t> shown, classes;
  for (const auto& batch : sampler->plan(0)) {
    std::map<std::int64_t, std::set<std::int64_t>> by_class;
    for (const std::int64_t i : batch) {
      by_class[labels[static_cast<std::size_t>(i)]].insert(i);
      ++shown[i];
    }
    CHECK(by_class.size() == 5);
    for (const auto& [label, images] : by_class) {
      CHECK(images.size() == 3);
      ++classes[label];
    }
  }
  // 28 batches of 5 classes are 20 shows of each of 7, 60 images of each: 5 of every image.
  for (const auto& [label, times] : classes) CHECK(times == 20);
  for (const auto& [image, times] : shown) CHECK(times == 5);
  CHECK(shown.size() == labels.size());
}

TEST_CASE("requirements: a sampler that promises too little is refused in words") {
  require({.images_per_class = 3}, "group", {.images_per_class = 3}, "group");
  CHECK_THROWS_WITH_AS(require({.images_per_class = 3}, "group", {}, "shuffle"),
                       doctest::Contains("needs at least 3 images of each class"), UsageError);
  CHECK_THROWS_WITH_AS(require({.classes = 2}, "triplet", {}, "group"),
                       doctest::Contains("2 different classes"), UsageError);
  require({.one_part = true}, "divide", {.one_part = true}, "divide");
  CHECK_THROWS_WITH_AS(require({.one_part = true}, "divide", {}, "shuffle"),
                       doctest::Contains("--sampler divide"), UsageError);
}

}  // namespace
}  // namespace dml
