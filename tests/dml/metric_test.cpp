#include "dml/metric.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "dml/metrics/class_distances.hpp"
#include "dml/metrics/partition.hpp"
#include "dml/metrics/spectrum.hpp"
#include "dml/retrieval/evaluator.hpp"
#include "dml/retrieval/spectrum.hpp"
#include "engine/random.hpp"

namespace dml {
namespace {

/// Two queries of class 0 and one of class 1 in a gallery of six, ranked by hand.
Neighbours ranked() {
  Neighbours nn{.queries = 3, .k = 4};
  nn.gallery_class = {0, 0, 0, 1, 1, 2};
  nn.query_class = {0, 0, 1};
  nn.positives = {3, 3, 2};
  nn.class_size = {3, 3, 2};
  nn.index = {3, 0, 1, 2,   // miss, hit, hit, hit
              0, 3, 4, 1,   // hit, miss, miss, hit
              5, 0, 1, 2};  // misses only
  nn.distance.assign(12, 0);
  return nn;
}

double value(const std::string& metric, const Neighbours& nn) {
  std::vector<double> values(static_cast<std::size_t>(nn.queries));
  make_metric(metric)->ranking()->score(nn, values);
  return mean_of(values);
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
  // The same precisions divided by the number of hits.
  CHECK(value("marp", nn) == doctest::Approx(((1.0 / 2 + 2.0 / 3) / 2 + 1.0 + 0) / 3));
  // Down to rank 4: hits at 2, 3, 4; at 1, 4; none.
  const double first = 1.0 / 2 + 2.0 / 3 + 3.0 / 4, second = 1.0 + 2.0 / 4;
  CHECK(value("map", nn) == doctest::Approx((first / 3 + second / 3 + 0) / 3));
  CHECK(value("map@3", nn) == doctest::Approx(((1.0 / 2 + 2.0 / 3) / 3 + 1.0 / 3 + 0) / 3));
  CHECK(value("map_all", nn) == value("map", nn));  // no query is in this gallery
  CHECK(value("map_c", nn) == doctest::Approx(((1.0 / 2 + 2.0 / 3) / 3 + 1.0 / 3 + 0) / 3));
  CHECK(value("mrr", nn) == doctest::Approx((1.0 / 2 + 1 + 0) / 3));
  CHECK(value("mrr@1", nn) == doctest::Approx(1.0 / 3));
  CHECK(value("r_precision@1", nn) == doctest::Approx((0.0 + 1 + 0) / 3));
}

TEST_CASE("metrics: Revisiting-DML divides by the class with the query in it") {
  Neighbours nn{.queries = 1, .k = 3};
  nn.gallery_class = {0, 0, 0, 1};
  nn.query_class = {0};
  nn.positives = {2};
  nn.class_size = {3};
  nn.index = {1, 2, 3};
  nn.distance.assign(3, 0);
  CHECK(value("map_1000", nn) == doctest::Approx(2.0 / 3));
  CHECK(value("map_lim", nn) == doctest::Approx(2.0 / 3));
  CHECK(value("map", nn) == 1);
}

TEST_CASE("metrics: a query without positives is a miss for recall and left out of MAP@R") {
  Neighbours nn = ranked();
  nn.positives[2] = 0;
  nn.class_size[2] = 0;
  nn.query_class[2] = 7;
  CHECK(value("recall@4", nn) == doctest::Approx(2.0 / 3));
  CHECK(value("map@r", nn) == doctest::Approx(((1.0 / 2 + 2.0 / 3) / 3 + 1.0 / 3) / 2));
  CHECK(value("r_precision", nn) == doctest::Approx((2.0 / 3 + 1.0 / 3) / 2));
  CHECK(value("precision@1", nn) == doctest::Approx(1.0 / 2));
  CHECK(value("recall@1", nn) == doctest::Approx(1.0 / 3));
  nn.positives = {0, 0, 0};
  CHECK(std::isnan(value("map@r", nn)));  // undefined, not 0
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
  CHECK_THROWS_AS(make_metric("f1@3"), UsageError);
  CHECK_THROWS_AS(make_metric("nmi:geometric"), UsageError);
  CHECK(make_metric("nmi:mean=geometric")->name() == "NMI (geometric)");
  CHECK(make_metric("mAP@1000")->name() == "mAP@1000");
  CHECK(make_metric("mAP_1000")->name() == "mAP_1000");
  CHECK(make_metric("rho_spectrum@-2")->name() == "rho_spectrum@-2");
  CHECK(make_metric("c_recall@2")->distance == SearchDistance::cosine);
  CHECK(make_metric("e_recall@2")->distance == SearchDistance::euclidean);
  CHECK(!make_metric("effective_rank")->distance);
  for (const std::string& name : Registry<Metric>::names()) {
    CAPTURE(name);
    const auto metric = make_metric(name);
    CHECK((metric->ranking() == nullptr) != (metric->gallery() == nullptr));
    CHECK(!metric->protocol().empty());
  }
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
  for (const auto& one : found.values) CHECK_MESSAGE(one.second == doctest::Approx(1), one.first);
  CHECK(found.neighbours.k == 1);  // so many as were asked for, not as the metrics looked at
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

TEST_CASE("ami: hand-computed, 0 for what chance gives, and its edges") {
  using Parts = std::vector<std::int64_t>;
  CHECK(adjusted_mutual_information(Parts{0, 0, 1, 1}, Parts{5, 5, 3, 3}) == 1);
  CHECK(adjusted_mutual_information(Parts{0, 1, 2}, Parts{2, 1, 0}) == 1);
  CHECK(adjusted_mutual_information(Parts{1, 1, 1}, Parts{0, 1, 2}) == 0);
  // Two halves against two halves: of the 6 ways to choose {a, b}, 2 are equal to the classes and
  // give ln 2, the others give 0: E[I] = ln 2 / 3.
  const Overlap halves(Parts{0, 0, 1, 1}, Parts{0, 1, 0, 1});
  CHECK(halves.expected_information() == doctest::Approx(std::log(2.0) / 3));
  CHECK(adjusted_mutual_information(Parts{0, 0, 1, 1}, Parts{0, 1, 0, 1}) ==
        doctest::Approx(-(1.0 / 3) / (1 - 1.0 / 3)));
}

TEST_CASE("f1: over pairs, and 0 where there is no pair") {
  using Parts = std::vector<std::int64_t>;
  // Pairs of one class: 2; of one cluster: 3; of both: 1.
  CHECK(pair_f1(Parts{0, 0, 1, 1}, Parts{0, 0, 0, 1}) == doctest::Approx(2.0 / 5));
  CHECK(pair_f1(Parts{0, 1, 2}, Parts{0, 1, 2}) == 0);
}

TEST_CASE("class distances: hand-computed; a class of one item gets the largest value") {
  // Class 0: the unit vectors of two axes; class 1: two parallel vectors of different lengths.
  const Tensor x = Tensor::of<double>({5, 2}, {1, 0, 0, 1, 3, 0, 1, 0, 0, -2});
  const ClassDistances found = class_distances(x, std::vector<std::int64_t>{0, 0, 1, 1, 2});
  CHECK(found.per_class == std::vector<double>{1, 0, -1});
  CHECK(found.intra == doctest::Approx((1.0 + 0 + 1) / 3));
  // Directions of the means: (1, 1)/sqrt 2, (1, 0), (0, -1).
  CHECK(found.inter == doctest::Approx(1 - (std::sqrt(0.5) - std::sqrt(0.5) + 0) / 3));
  CHECK(std::isnan(class_distances(x, std::vector<std::int64_t>{0, 1, 2, 3, 4}).intra));
}

TEST_CASE("singular values: of matrices made for it, large and small ones, wide and tall") {
  // Columns scaled by 1, 1e-3, 1e-9 of an orthogonal matrix (a Hadamard one divided by 2).
  const double h[4][4] = {{1, 1, 1, 1}, {1, -1, 1, -1}, {1, 1, -1, -1}, {1, -1, -1, 1}};
  const double scale[3] = {1e-9, 1, 1e-3};
  Tensor tall(Shape{4, 3}, DType::f64), wide(Shape{3, 4}, DType::f64);
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t c = 0; c < 3; ++c)
      tall.raw<double>()[i * 3 + c] = wide.raw<double>()[c * 4 + i] = h[i][c] / 2 * scale[c];
  for (const Tensor& x : {tall, wide}) {
    const std::vector<double> values = singular_values(x, 2);
    REQUIRE(values.size() == 3);
    CHECK(values[0] == doctest::Approx(1).epsilon(1e-12));
    CHECK(values[1] == doctest::Approx(1e-3).epsilon(1e-12));
    CHECK(values[2] == doctest::Approx(1e-9).epsilon(1e-12));
  }
  // Many rows in many blocks: the squares add up to those of the matrix, and threads do not matter.
  Tensor x = Tensor::empty({1000, 37}, DType::f32);
  const Random random(9, Purpose::weights);
  double squares = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    x.raw<float>()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
    squares += static_cast<double>(x.raw<float>()[i]) * static_cast<double>(x.raw<float>()[i]);
  }
  const std::vector<double> one = singular_values(x, 1);
  CHECK(singular_values(x, 2) == one);
  double sum = 0;
  for (const double value : one) sum += value * value;
  CHECK(sum == doctest::Approx(squares).epsilon(1e-12));
  CHECK(one.front() < std::sqrt(1000.0) + std::sqrt(37.0) + 3);
  CHECK(one.back() > std::sqrt(1000.0) - std::sqrt(37.0) - 3);
}

TEST_CASE("rho spectrum and effective rank: equal values, and none") {
  const std::vector<double> equal{2, 2, 2, 2}, single{3, 0, 0, 0};
  CHECK(rho_spectrum(equal, 1) == doctest::Approx(0));
  CHECK(rho_spectrum(equal, -3) == doctest::Approx(0));
  CHECK(std::isinf(rho_spectrum(single, 1)));
  CHECK(rho_spectrum(single, -1) == doctest::Approx(std::log(4.0)));
  CHECK(std::isnan(rho_spectrum(equal, 9)));
  CHECK(std::exp(spectral_entropy(equal)) == doctest::Approx(4));
  CHECK(std::exp(spectral_entropy(single)) == doctest::Approx(1));
}

/// 60 points of 6 classes, some near each other.
RetrievalSet some_set(DType type = DType::f32) {
  RetrievalSet set{.embeddings = Tensor::empty({60, 5}, type), .labels = {}};
  const Random random(11, Purpose::weights);
  for (std::int64_t i = 0; i < 60; ++i) {
    set.labels.push_back(i % 6);
    visit_float(type, [&]<class T>() {
      for (std::int64_t c = 0; c < 5; ++c)
        set.embeddings.raw<T>()[i * 5 + c] = static_cast<T>(
            random.normal(static_cast<std::uint64_t>(i * 5 + c)) + (c == i % 6 ? 1.5 : 0));
    });
  }
  return set;
}

TEST_CASE("evaluate: uniformity and alignment equal loops over all pairs") {
  const RetrievalSet set = some_set();
  Device device(Backend::cpu, 2);
  const Evaluation found =
      evaluate(device, set, make_metrics("uniformity,alignment,uniformity:t=3"));
  double potential = 0, apart = 0, positives = 0, sharper = 0;
  const auto unit = [&](std::int64_t i, std::int64_t c) {
    double square = 0;
    for (const float value : set.embeddings.row<float>(i))
      square += static_cast<double>(value) * static_cast<double>(value);
    return static_cast<double>(set.embeddings.raw<float>()[i * 5 + c]) / std::sqrt(square);
  };
  for (std::int64_t i = 0; i < 60; ++i)
    for (std::int64_t j = i + 1; j < 60; ++j) {
      double square = 0;
      for (std::int64_t c = 0; c < 5; ++c)
        square += (unit(i, c) - unit(j, c)) * (unit(i, c) - unit(j, c));
      potential += std::exp(-2 * square);
      sharper += std::exp(-3 * square);
      if (i % 6 != j % 6) continue;
      apart += square;
      ++positives;
    }
  CHECK(found.values[0].second == doctest::Approx(std::log(potential / 1770)).epsilon(1e-5));
  CHECK(found.values[1].second == doctest::Approx(apart / positives).epsilon(1e-5));
  CHECK(found.values[2].second == doctest::Approx(std::log(sharper / 1770)).epsilon(1e-5));
}

TEST_CASE("evaluate: c_ and e_ are the distances, whatever that of the evaluation") {
  const RetrievalSet set = some_set();
  Device device(Backend::cpu, 1);
  const std::string names = "recall@1,map@r,mrr,nmi,rho_spectrum@1";
  const std::string both = "c_recall@1,c_map@r,c_mrr,c_nmi,e_recall@1,e_map@r,e_mrr,e_nmi";
  const auto by = [&](SearchDistance distance, const std::string& list) {
    return evaluate(device, set, make_metrics(list), {.distance = distance}).values;
  };
  const auto cosine = by(SearchDistance::cosine, names),
             euclidean = by(SearchDistance::euclidean, names);
  CHECK(cosine[1].second != euclidean[1].second);
  for (const SearchDistance distance : {SearchDistance::cosine, SearchDistance::euclidean}) {
    const auto found = by(distance, both);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(found[i].first == "c_" + cosine[i].first);
      CHECK(found[i].second == cosine[i].second);
      CHECK(found[i + 4].second == euclidean[i].second);
    }
  }
  // The spectrum is that of the rows as they are, unless cosine is asked for by name.
  CHECK(cosine[4].second == euclidean[4].second);
  CHECK(by(SearchDistance::cosine, "c_rho_spectrum@1")[0].second != cosine[4].second);
}

TEST_CASE("evaluate: means over classes, and values of single classes") {
  RetrievalSet set = some_set(DType::f64);
  set.labels[0] = 9;  // a class of one
  Device device(Backend::cpu, 1);
  const auto metrics = make_metrics("recall@1,map@r");
  const Evaluation queries = evaluate(device, set, metrics);
  const Evaluation classes = evaluate(device, set, metrics, {.average = Average::classes});
  const auto means = queries.by_class("R@1");
  CHECK(means.size() == 7);
  CHECK(means.at(9) == 0);  // a miss that counts
  CHECK(queries.by_class("MAP@R").size() == 6);
  double sum = 0;
  for (const auto& [label, mean] : means) sum += mean;
  CHECK(classes.at("R@1") == doctest::Approx(sum / 7));
  CHECK(queries.at("R@1") != doctest::Approx(classes.at("R@1")));
  CHECK(queries.protocol.at("queries_without_positive") == "1");
  CHECK_THROWS_AS(queries.by_class("NMI"), UsageError);
}

TEST_CASE("evaluate: dropping the first neighbour differs where duplicates are") {
  // Rows 0 and 1 are one point, of two classes; row 2 is near, of class 0.
  const Tensor x = Tensor::of<float>({4, 1}, {0, 0, 1, 5});
  const RetrievalSet set{.embeddings = x, .labels = {0, 1, 0, 1}};
  Device device(Backend::cpu, 1);
  const auto metrics = make_metrics("e_recall@1");
  const auto run = [&](Exclude exclude) {
    return evaluate(device, set, metrics,
                    {.distance = SearchDistance::euclidean, .exclude = exclude, .neighbours = 3});
  };
  const Evaluation by_index = run(Exclude::query), first = run(Exclude::first);
  CHECK(by_index.neighbours.at(0, 0) == 1);
  CHECK(by_index.neighbours.at(1, 0) == 0);
  CHECK(first.neighbours.at(0, 0) == 1);  // itself came first
  CHECK(first.neighbours.at(1, 0) == 1);  // row 0 came first, and row 1 finds itself
  CHECK(by_index.values[0].second == 0.25);
  CHECK(first.values[0].second == 0.5);
  CHECK(first.protocol.at("self").find("first neighbour") != std::string::npos);
}

TEST_CASE("evaluate: a query set and a gallery of their own") {
  const Tensor queries = Tensor::of<float>({2, 1}, {0, 10});
  const Tensor gallery = Tensor::of<float>({3, 1}, {1, 9, 0});
  Device device(Backend::cpu, 1);
  const RetrievalSet apart = query_gallery_set(queries, {4, 5}, gallery, {4, 4, 5});
  const Evaluation found = evaluate(device, apart, make_metrics("recall@1,recall@2,map"),
                                    {.distance = SearchDistance::euclidean, .neighbours = 3});
  CHECK(found.neighbours.at(0, 0) == 2);
  CHECK(found.neighbours.at(0, 1) == 0);
  CHECK(found.at("R@1") == 0);
  CHECK(found.at("R@2") == 0.5);
  CHECK(found.protocol.at("self") == "no query is in the gallery");
  CHECK(found.protocol.at("gallery") == "3");
  // The first rows of the gallery are the queries.
  const RetrievalSet inside =
      query_gallery_set(Tensor::of<float>({1, 1}, {1}), {4}, gallery, {4, 4, 5}, true);
  const Evaluation within = evaluate(device, inside, make_metrics("recall@1"),
                                     {.distance = SearchDistance::euclidean, .neighbours = 2});
  CHECK(within.neighbours.queries == 1);
  CHECK(within.neighbours.at(0, 0) == 2);
  CHECK_THROWS_AS(query_gallery_set(queries, {4, 5}, Tensor({3, 2}, DType::f32), {4, 4, 5}),
                  ShapeError);
}

}  // namespace
}  // namespace dml
