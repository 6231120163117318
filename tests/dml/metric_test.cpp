#include "dml/metric.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "dml/metrics/nmi.hpp"
#include "dml/retrieval/evaluator.hpp"
#include "engine/random.hpp"

namespace dml {
namespace {

/// Two queries of class 0 and one of class 1 in a gallery of six, ranked by hand.
Neighbours ranked() {
  Neighbours nn{.queries = 3, .k = 4};
  nn.gallery_class = {0, 0, 0, 1, 1, 2};
  nn.query_class = {0, 0, 1};
  nn.positives = {3, 3, 2};
  nn.index = {3, 0, 1, 2,   // miss, hit, hit, hit
              0, 3, 4, 1,   // hit, miss, miss, hit
              5, 0, 1, 2};  // misses only
  nn.distance.assign(12, 0);
  return nn;
}

double value(const std::string& metric, const Neighbours& nn) {
  return (*make_metric(metric))({nn, {}});
}

TEST_CASE("metrics: hand-computed ranks") {
  const Neighbours nn = ranked();
  CHECK(value("recall@1", nn) == doctest::Approx(1.0 / 3));
  CHECK(value("recall@2", nn) == doctest::Approx(2.0 / 3));
  CHECK(value("R@4", nn) == doctest::Approx(2.0 / 3));
  CHECK(value("precision@1", nn) == doctest::Approx(1.0 / 3));
  // R = 3, 3, 2: two, one and no hits among the first R.
  CHECK(value("r_precision", nn) == doctest::Approx((2.0 / 3 + 1.0 / 3 + 0) / 3));
  CHECK(value("map@r", nn) == doctest::Approx(((1.0 / 2 + 2.0 / 3) / 3 + (1.0 / 1) / 3 + 0) / 3));
}

TEST_CASE("metrics: a query without positives is a miss for recall and left out of MAP@R") {
  Neighbours nn = ranked();
  nn.positives[2] = 0;
  nn.query_class[2] = 7;
  CHECK(value("recall@4", nn) == doctest::Approx(2.0 / 3));
  CHECK(value("map@r", nn) == doctest::Approx(((1.0 / 2 + 2.0 / 3) / 3 + 1.0 / 3) / 2));
  CHECK(value("r_precision", nn) == doctest::Approx((2.0 / 3 + 1.0 / 3) / 2));
}

TEST_CASE("metrics: names as users write them") {
  CHECK(make_metric("recall@4")->name() == "R@4");
  CHECK(make_metric(" MAP@R ")->name() == "MAP@R");
  CHECK(make_metric("nmi")->name() == "NMI");
  CHECK(make_metrics("recall@1, nmi,").size() == 2);
  CHECK_THROWS_WITH_AS(make_metric("recal@1"), doctest::Contains("did you mean 'recall'"),
                       UsageError);
  CHECK_THROWS_AS(make_metric("recall@0"), UsageError);
  CHECK_THROWS_AS(make_metric("nmi@3"), UsageError);
}

TEST_CASE("nmi: hand-computed, symmetric, and its edges") {
  using Parts = std::vector<std::int64_t>;
  const Parts a{0, 0, 1, 1}, b{0, 0, 0, 1};
  // I = 1/2 ln(4/3) + 1/4 ln(2/3) + 1/4 ln 2;  H(a) = ln 2;  H(b) = 3/4 ln(4/3) + 1/4 ln 4
  const double information =
      0.5 * std::log(4.0 / 3) + 0.25 * std::log(2.0 / 3) + 0.25 * std::log(2.0);
  const double ha = std::log(2.0), hb = 0.75 * std::log(4.0 / 3) + 0.25 * std::log(4.0);
  CHECK(normalised_mutual_information(a, b) == doctest::Approx(2 * information / (ha + hb)));
  CHECK(normalised_mutual_information(b, a) ==
        doctest::Approx(normalised_mutual_information(a, b)));
  CHECK(normalised_mutual_information(a, b, NmiMean::geometric) ==
        doctest::Approx(information / std::sqrt(ha * hb)));
  CHECK(normalised_mutual_information(a, Parts{9, 9, 4, 4}) == doctest::Approx(1));
  CHECK(normalised_mutual_information(Parts{1, 1}, Parts{3, 3}) == 1);
  CHECK(normalised_mutual_information(Parts{1, 1}, Parts{3, 4}) == 0);
  CHECK(normalised_mutual_information(Parts{0, 0, 1, 1}, Parts{0, 1, 0, 1}) == doctest::Approx(0));
  CHECK_THROWS_AS(normalised_mutual_information(a, Parts{1}), ShapeError);
}

TEST_CASE("evaluate: separable classes are perfect, and the protocol is stated") {
  const std::int64_t classes = 5, images = 8;
  Tensor x = Tensor::empty({classes * images, 6}, DType::f32);
  std::vector<std::int64_t> labels;
  const Random random(3, Purpose::weights);
  for (std::int64_t i = 0; i < x.dim(0); ++i) {
    labels.push_back(i % classes);
    for (std::int64_t c = 0; c < 6; ++c)
      x.raw<float>()[i * 6 + c] =
          static_cast<float>(0.05 * random.normal(static_cast<std::uint64_t>(i * 6 + c))) +
          (c == i % classes ? 1.F : 0.F);
  }
  Device device(Backend::cpu, 2);
  const auto metrics = make_metrics("recall@1,nmi,map@r,r_precision");
  const Evaluation found = evaluate(device, {.embeddings = x, .labels = labels}, metrics);
  for (const auto& [name, number] : found.values) CHECK_MESSAGE(number == doctest::Approx(1), name);
  CHECK(found.neighbours.k == images - 1);  // the largest that a metric asks for
  CHECK(found.protocol.at("distance") == "cosine");
  CHECK(found.protocol.at("kmeans_clusters") == "5");
  CHECK_THROWS_WITH_AS(found.at("nmj"), doctest::Contains("did you mean 'NMI'"), UsageError);
  CHECK_THROWS_AS(evaluate(device, {.embeddings = x, .labels = {0}}, metrics), ShapeError);
  CHECK_THROWS_AS(
      evaluate(device, {.embeddings = Tensor({0, 6}, DType::f32), .labels = {}}, metrics),
      DataError);
}

TEST_CASE("evaluate: queries and gallery may differ") {
  const Tensor x = Tensor::of<float>({4, 2}, {1, 0, 0.9F, 0.1F, 0, 1, 0.1F, 0.9F});
  const std::vector<std::int64_t> labels{0, 0, 1, 1};
  Device device(Backend::cpu, 1);
  const Evaluation apart =
      evaluate(device, {.embeddings = x, .labels = labels, .queries = {0, 2}, .gallery = {1, 3}},
               make_metrics("recall@1"));
  CHECK(apart.at("R@1") == 1);
  CHECK(apart.neighbours.positives == std::vector<std::int64_t>{1, 1});
  // A query in the gallery does not find itself.
  const Evaluation shared =
      evaluate(device, {.embeddings = x, .labels = labels, .queries = {0}, .gallery = {0, 2, 3}},
               make_metrics("recall@1"));
  CHECK(shared.at("R@1") == 0);
  CHECK(shared.neighbours.positives == std::vector<std::int64_t>{0});
}

}  // namespace
}  // namespace dml
