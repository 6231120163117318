#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "dml/retrieval/evaluator.hpp"
#include "engine/random.hpp"
#include "engine/safetensors.hpp"
#include "tests/places.hpp"

namespace dml {
namespace {

Tensor normal(Shape shape, std::uint64_t seed, DType type = DType::f32) {
  Tensor x = Tensor::empty(std::move(shape), type);
  const Random random(seed, Purpose::weights);
  visit_float(type, [&]<class T>() {
    for (std::int64_t i = 0; i < x.size(); ++i)
      x.raw<T>()[i] = static_cast<T>(random.normal(static_cast<std::uint64_t>(i)));
  });
  return x;
}

/// All gallery rows of one query in order of (distance in f64, index), itself excluded.
std::vector<std::pair<double, std::int64_t>> brute_force(const Tensor& q, std::int64_t i,
                                                         const Tensor& g, std::int64_t self,
                                                         SearchDistance distance) {
  const Tensor a = q.to(DType::f64), b = g.to(DType::f64);
  std::vector<std::pair<double, std::int64_t>> all;
  for (std::int64_t j = 0; j < g.dim(0); ++j) {
    if (j == self) continue;
    double product = 0, aa = 0, bb = 0, square = 0;
    for (std::int64_t c = 0; c < q.dim(1); ++c) {
      const double x = a.row<double>(i)[static_cast<std::size_t>(c)];
      const double y = b.row<double>(j)[static_cast<std::size_t>(c)];
      product += x * y;
      aa += x * x;
      bb += y * y;
      square += (x - y) * (x - y);
    }
    all.emplace_back(
        distance == SearchDistance::cosine ? 1 - product / std::sqrt(aa * bb) : std::sqrt(square),
        j);
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<std::int64_t> identity(std::int64_t n) {
  std::vector<std::int64_t> self(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) self[static_cast<std::size_t>(i)] = i;
  return self;
}

TEST_CASE("search: equals an exhaustive sort, whatever the size of the tiles") {
  const Tensor x = normal({83, 9}, 1);
  const std::vector<std::int64_t> self = identity(83);
  for (const char* name : {"reference", "cpu"}) {
    Device device = Device::open(name, 2);
    for (const SearchDistance distance : {SearchDistance::cosine, SearchDistance::euclidean})
      for (const std::int64_t rows : {7, 32, 200}) {
        const Neighbours found =
            search(device, x, x, self,
                   {.distance = distance, .k = 12, .query_rows = rows, .gallery_rows = rows + 4});
        CHECK(found.k == 12);
        for (std::int64_t q = 0; q < 83; ++q) {
          const auto expected = brute_force(x, q, x, q, distance);
          for (std::int64_t r = 0; r < 12; ++r) {
            const auto& [want, index] = expected[static_cast<std::size_t>(r)];
            REQUIRE(found.at(q, r) == index);
            REQUIRE(found.distance[static_cast<std::size_t>(q * 12 + r)] ==
                    doctest::Approx(want).epsilon(1e-6));
          }
        }
      }
  }
}

TEST_CASE(
    "search: equal distances are ordered by lower index, and only the query itself is left out") {
  // Rows 0, 2, 5 and 70 are one point; 50 copies of another one follow.
  Tensor x = normal({120, 4}, 2);
  for (const std::int64_t i : {2, 5, 70}) std::copy_n(x.raw<float>(), 4, x.raw<float>() + i * 4);
  for (std::int64_t i = 71; i < 120; ++i)
    std::copy_n(x.raw<float>() + 4, 4, x.raw<float>() + i * 4);
  Device device(Backend::cpu, 2);
  const Neighbours found = search(device, x, x, identity(120), {.k = 6, .gallery_rows = 16});
  CHECK(found.at(5, 0) == 0);
  CHECK(found.at(5, 1) == 2);
  CHECK(found.at(5, 2) == 70);
  CHECK(found.at(0, 0) == 2);
  for (std::int64_t r = 0; r < 6; ++r) CHECK(found.at(1, r) == 71 + r);
  CHECK(found.at(80, 0) == 1);
  CHECK(found.at(80, 1) == 71);
}

TEST_CASE("search: a gallery smaller than k, and queries outside the gallery") {
  Device device(Backend::cpu, 1);
  const Tensor gallery = normal({3, 5}, 3), queries = normal({2, 5}, 4);
  const Neighbours outside = search(device, queries, gallery, {}, {.k = 10});
  CHECK(outside.k == 3);
  CHECK(outside.at(1, 2) != Neighbours::none);
  const Neighbours inside = search(device, gallery, gallery, identity(3), {.k = 10});
  CHECK(inside.k == 3);
  CHECK(inside.at(0, 1) != Neighbours::none);
  CHECK(inside.at(0, 2) == Neighbours::none);
  CHECK(!inside.hit(0, 2));
}

TEST_CASE("search: a row that is not finite is named") {
  Device device(Backend::cpu, 1);
  Tensor x = normal({4, 3}, 5);
  x.raw<float>()[7] = std::nanf("");
  CHECK_THROWS_WITH_AS(search(device, x, x, {}, {}), doctest::Contains("row 2 of 4"), NumericError);
}

TEST_CASE("search: doubles are searched as doubles") {
  Tensor x = normal({40, 6}, 6, DType::f64);
  // Two rows that differ by less than an f32 can tell.
  for (std::int64_t c = 0; c < 6; ++c) x.raw<double>()[12 + c] = x.raw<double>()[6 + c];
  x.raw<double>()[12] += 1e-12;
  Device device(Backend::cpu, 1);
  const Neighbours found =
      search(device, x, x, identity(40), {.distance = SearchDistance::euclidean, .k = 1});
  CHECK(found.at(1, 0) == 2);
  CHECK(found.distance[1] == doctest::Approx(1e-12).epsilon(1e-3));
}

TEST_CASE("kmeans: finds separate blobs and repeats itself") {
  Device device(Backend::cpu, 2);
  Tensor x = normal({90, 8}, 7);
  for (std::int64_t i = 0; i < 90; ++i) x.raw<float>()[i * 8 + i % 3] += 40;
  const Clustering one = kmeans(device, x, {.clusters = 3});
  for (std::int64_t i = 3; i < 90; ++i)
    CHECK(one.cluster[static_cast<std::size_t>(i)] == one.cluster[static_cast<std::size_t>(i % 3)]);
  CHECK(one.cluster[0] != one.cluster[1]);
  CHECK(one.cluster[1] != one.cluster[2]);
  // About 8 dimensions of variance 1 for each of 90 rows, less what 3 centres take up.
  CHECK(one.objective == doctest::Approx(90 * 8 - 24).epsilon(0.15));
  const Clustering two = kmeans(device, x, {.clusters = 3});
  CHECK(two.cluster == one.cluster);
  CHECK_THROWS_AS(kmeans(device, x, {.clusters = 91}), UsageError);
}

TEST_CASE("kmeans: rows are assigned to the nearest centre") {
  Device device(Backend::cpu, 1);
  const Tensor x = normal({300, 5}, 8);
  const Clustering found = kmeans(device, x, {.clusters = 17, .iterations = 5, .restarts = 2});
  double objective = 0;
  for (std::int64_t i = 0; i < 300; ++i) {
    const auto nearest = brute_force(x, i, found.centres, -1, SearchDistance::euclidean)[0];
    CHECK(found.cluster[static_cast<std::size_t>(i)] == nearest.second);
    objective += nearest.first * nearest.first;
  }
  CHECK(found.objective == doctest::Approx(objective).epsilon(1e-5));
}

TEST_CASE("evaluate: the figures stated for real embeddings") {
  namespace fs = std::filesystem;
  const char* folder = std::getenv("DML_SHARED_DIR");
  const fs::path root = folder != nullptr ? fs::path(folder) : testing::source_dir() / "../shared";
  const fs::path file = root / "data/embeddings/grocery_resnet18_layer3.safetensors";
  if (!fs::exists(file)) {
    MESSAGE("skipped: ", file.string(), " is not here");
    return;
  }
  const SafeTensors contents = read_safetensors(file);
  const auto labels = contents.at("in.labels").data<std::int64_t>();
  const RetrievalSet set{.embeddings = contents.at("in.embeddings"),
                         .labels = {labels.begin(), labels.end()}};
  Device device(Backend::cpu, 2);
  const Evaluation found =
      evaluate(device, set,
               make_metrics("recall@1,recall@2,recall@4,recall@8,r_precision,map@r,precision@1"));
  const auto recall = contents.at("out.recall_at_1_2_4_8").data<double>();
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(found.values[i].second == doctest::Approx(recall[i]).epsilon(1e-12));
  CHECK(found.at("R-precision") ==
        doctest::Approx(contents.at("out.r_precision").item()).epsilon(1e-9));
  CHECK(found.at("MAP@R") == doctest::Approx(contents.at("out.map_at_r").item()).epsilon(1e-9));
  CHECK(found.at("P@1") == found.at("R@1"));
  CHECK(found.protocol.at("queries") == "2370");
  CHECK(found.protocol.at("classes") == "40");
}

}  // namespace
}  // namespace dml
