#include "dml/retrieval/rerank.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "dml/retrieval/evaluator.hpp"
#include "engine/random.hpp"

namespace dml {
namespace {

using Matrix = std::vector<std::vector<double>>;
using List = std::vector<std::size_t>;

Tensor blobs(std::int64_t n, std::int64_t d, std::int64_t classes, double spread) {
  Tensor x = Tensor::empty({n, d}, DType::f64);
  const Random random(5, Purpose::weights);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t c = 0; c < d; ++c)
      x.raw<double>()[i * d + c] = spread * random.normal(static_cast<std::uint64_t>(i * d + c)) +
                                   (c == i % classes ? 1.0 : 0.0);
  return x;
}

/// The published procedure with matrices of all pairs (Zhong et al., CVPR 2017, section 3):
/// the final distance between all rows.
Matrix all_pairs(const Tensor& x, std::size_t k1, std::size_t k2, double lambda) {
  const auto n = static_cast<std::size_t>(x.dim(0));
  Matrix original(n, std::vector<double>(n, 0)), v = original, final = original;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::int64_t c = 0; c < x.dim(1); ++c) {
        const double apart =
            x.row<double>(static_cast<std::int64_t>(i))[static_cast<std::size_t>(c)] -
            x.row<double>(static_cast<std::int64_t>(j))[static_cast<std::size_t>(c)];
        original[i][j] += apart * apart;
      }
  for (auto& row : original) {
    const double most = *std::max_element(row.begin(), row.end());
    for (double& one : row) one /= most;
  }
  std::vector<List> rank(n, List(n));
  for (std::size_t i = 0; i < n; ++i) {
    std::iota(rank[i].begin(), rank[i].end(), std::size_t{0});
    std::sort(rank[i].begin(), rank[i].end(), [&](std::size_t a, std::size_t b) {
      return std::pair{original[i][a], a} < std::pair{original[i][b], b};
    });
  }
  const auto nearest = [&](std::size_t i, std::size_t k) {
    return List(rank[i].begin(), rank[i].begin() + static_cast<std::ptrdiff_t>(std::min(k, n)));
  };
  const auto reciprocal = [&](std::size_t i, std::size_t k) {
    std::set<std::size_t> mutual;
    for (const std::size_t j : nearest(i, k + 1)) {
      const List back = nearest(j, k + 1);
      if (std::count(back.begin(), back.end(), i) > 0) mutual.insert(j);
    }
    return mutual;
  };
  for (std::size_t i = 0; i < n; ++i) {
    const auto own = reciprocal(i, k1);
    auto expanded = own;
    for (const std::size_t candidate : own) {
      const auto theirs = reciprocal(
          candidate, static_cast<std::size_t>(std::nearbyint(static_cast<double>(k1) / 2)));
      std::size_t shared = 0;
      for (const std::size_t j : theirs) shared += own.count(j);
      if (static_cast<double>(shared) > 2.0 / 3 * static_cast<double>(theirs.size()))
        expanded.insert(theirs.begin(), theirs.end());
    }
    double sum = 0;
    for (const std::size_t j : expanded) sum += v[i][j] = std::exp(-original[i][j]);
    for (double& one : v[i]) one /= sum;
  }
  Matrix mean(n, std::vector<double>(n, 0));
  for (std::size_t i = 0; i < n; ++i)
    for (const std::size_t other : nearest(i, k2))
      for (std::size_t j = 0; j < n; ++j)
        mean[i][j] += v[other][j] / static_cast<double>(std::min(k2, n));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      double least = 0, most = 0;
      for (std::size_t c = 0; c < n; ++c) {
        least += std::min(mean[i][c], mean[j][c]);
        most += std::max(mean[i][c], mean[j][c]);
      }
      final[i][j] = (1 - lambda) * (1 - least / most) + lambda * original[i][j];
    }
  return final;
}

TEST_CASE("re-ranking: equals the procedure with matrices of all pairs") {
  const Tensor x = blobs(70, 6, 5, 0.4);
  std::vector<std::int64_t> queries(20), gallery(50);
  std::iota(queries.begin(), queries.end(), std::int64_t{0});
  std::iota(gallery.begin(), gallery.end(), std::int64_t{20});
  for (const RerankOptions how :
       {RerankOptions{}, RerankOptions{.k1 = 7, .k2 = 1, .lambda = 0.5},
        RerankOptions{.k1 = 5, .k2 = 3, .lambda = 0}, RerankOptions{.k1 = 200, .k2 = 100}}) {
    const Matrix expected = all_pairs(x, static_cast<std::size_t>(how.k1),
                                      static_cast<std::size_t>(how.k2), how.lambda);
    for (const char* name : {"reference", "cpu"}) {
      Device device = Device::open(name, 2);
      std::int64_t seen = 0;
      rerank_blocks(
          device, x, queries, gallery, {}, how,
          {.distance = SearchDistance::euclidean, .k = 50, .query_rows = 8},
          [&](std::int64_t first, const Neighbours& block) {
            for (std::int64_t q = 0; q < block.queries; ++q, ++seen) {
              double before = -1;
              for (std::int64_t r = 0; r < 50; ++r) {
                const double distance =
                    static_cast<double>(block.distance[static_cast<std::size_t>(q * 50 + r)]);
                const double want = expected[static_cast<std::size_t>(first + q)]
                                            [static_cast<std::size_t>(20 + block.at(q, r))];
                REQUIRE(distance == doctest::Approx(want).epsilon(1e-6));
                REQUIRE(distance >= before);
                before = distance;
              }
            }
          });
      CHECK(seen == 20);
    }
  }
}

TEST_CASE("re-ranking: at evaluation it finds more of a class, and leaves out the query itself") {
  const Tensor x = blobs(120, 8, 6, 0.45);
  RetrievalSet set{.embeddings = x, .labels = {}};
  for (std::int64_t i = 0; i < 120; ++i) set.labels.push_back(i % 6);
  Device device(Backend::cpu, 2);
  const auto metrics = make_metrics("map@r,recall@1");
  const Evaluation plain = evaluate(device, set, metrics, {.neighbours = 119});
  const Evaluation again =
      evaluate(device, set, metrics, {.neighbours = 119, .rerank = RerankOptions{.k1 = 10}});
  CHECK(again.at("MAP@R") > plain.at("MAP@R") + 0.02);
  CHECK(again.protocol.at("rerank").find("k1 = 10") != std::string::npos);
  for (std::int64_t q = 0; q < 120; ++q)
    for (std::int64_t r = 0; r < 119; ++r) CHECK(again.neighbours.at(q, r) != q);
  CHECK_THROWS_AS(evaluate(device, set, metrics, {.rerank = RerankOptions{.k1 = 0}}), UsageError);
}

}  // namespace
}  // namespace dml
