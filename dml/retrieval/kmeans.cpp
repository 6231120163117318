#include "dml/retrieval/kmeans.hpp"

#include <faiss/Clustering.h>
#include <faiss/Index.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "dml/retrieval/search.hpp"
#include "ops/matmul.hpp"

namespace dml {
namespace {

constexpr std::int64_t tile_rows = 1024;
constexpr std::int64_t tile_columns = 2048;

/// The search by which Faiss assigns rows to centres, done by our own matrix products: Faiss would
/// call the system's BLAS, whose thread pool fights with the OpenMP one.
class Centres final : public faiss::Index {
 public:
  Centres(Device& device, std::int64_t dim) : faiss::Index(dim), device_(device) {}

  void add(idx_t n, const float* x) override {
    const std::size_t count = static_cast<std::size_t>(n * d);
    Tensor rows = Tensor::of<float>({n, d}, std::span<const float>(x, count));
    Tensor half = Tensor::empty({n}, DType::f32);
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (const float value : rows.row<float>(i))
        sum += static_cast<double>(value) * static_cast<double>(value);
      half.raw<float>()[i] = static_cast<float>(sum / 2);
    }
    rows_ = device_.upload(rows);
    half_ = device_.upload(half);
    ntotal = n;
  }

  void reset() override {
    rows_ = half_ = {};
    ntotal = 0;
  }

  /// Squared distance and number of the nearest centre (k is 1).
  void search(idx_t n, const float* x, idx_t k, float* distances, idx_t* labels,
              const faiss::SearchParameters* = nullptr) const override {
    DML_CHECK(k == 1, "kmeans: one nearest centre is looked for");
    for (idx_t first = 0; first < n; first += tile_rows)
      tile(std::min<idx_t>(tile_rows, n - first), x + first * d, distances + first, labels + first);
  }

 private:
  void tile(std::int64_t m, const float* x, float* distances, idx_t* labels) const {
    const std::size_t count = static_cast<std::size_t>(m * d);
    const Tensor host = Tensor::of<float>({m, d}, std::span<const float>(x, count));
    const Tensor queries = device_.upload(host);
    Tensor best = Tensor::empty({m}, DType::f32);
    for (float& one : best.data<float>()) one = -std::numeric_limits<float>::infinity();
    best = device_.upload(best);
    Tensor index = device_.zeros({m}, DType::i64);
    const Tensor scores =
        device_.empty({m, std::min<std::int64_t>(ntotal, tile_columns)}, DType::f32);
    for (std::int64_t first = 0; first < ntotal; first += tile_columns) {
      const std::int64_t last = std::min<std::int64_t>(first + tile_columns, ntotal);
      Tensor part = scores.channels(0, last - first);
      kernel::matmul(device_, queries, rows_.rows(first, last), {.b = true}, 1, 0, part);
      kernel::subtract_row(device_, half_.rows(first, last), part);
      kernel::row_maximum(device_, part, first, best, index);
    }
    const Tensor score = best.to_host(), label = index.to_host();
    for (std::int64_t i = 0; i < m; ++i) {
      double square = 0;
      for (const float value : host.row<float>(i))
        square += static_cast<double>(value) * static_cast<double>(value);
      const double distance = square - 2 * static_cast<double>(score.raw<float>()[i]);
      distances[i] = static_cast<float>(std::max(0.0, distance));
      labels[i] = label.raw<std::int64_t>()[i];
    }
  }

  Device& device_;
  Tensor rows_, half_;
};

}  // namespace

Clustering kmeans(Device& device, const Tensor& x, const KMeansOptions& options) {
  DML_CHECK(x.rank() == 2, "kmeans: x must be [n, d], not " + to_string(x.shape()));
  const Tensor host = x.to(DType::f32);
  const std::int64_t n = host.dim(0), d = host.dim(1), k = options.clusters;
  if (k < 1 || k > n)
    throw UsageError(fmt::format("k-means: {} clusters of {} rows were asked for", k, n));
  if (options.iterations < 1 || options.restarts < 1)
    throw UsageError("k-means: at least one iteration and one run are needed");
  require_finite(host, "k-means");
  const bool given = options.centres.defined();
  DML_CHECK(!given || (options.centres.shape() == Shape{k, d} && options.restarts == 1),
            "kmeans: one run can begin with given centres, " + to_string(Shape{k, d}));

  faiss::Clustering clustering(static_cast<int>(d), static_cast<int>(k));
  clustering.niter = static_cast<int>(options.iterations);
  clustering.nredo = static_cast<int>(options.restarts);
  clustering.seed = static_cast<int>(options.seed);
  clustering.min_points_per_centroid = 1;
  clustering.max_points_per_centroid = std::numeric_limits<int>::max();  // use every row
  if (given) {
    const Tensor first = options.centres.to_host().to(DType::f32).dense();
    clustering.centroids.assign(first.raw<float>(), first.raw<float>() + first.size());
  }
  Centres centres(device, d);
  clustering.train(n, host.raw<float>(), centres);

  // Faiss leaves the index at the last run's centres; the best run's are in `centroids`.
  centres.reset();
  centres.add(k, clustering.centroids.data());
  std::vector<float> distances(static_cast<std::size_t>(n));
  std::vector<faiss::Index::idx_t> labels(distances.size());
  centres.search(n, host.raw<float>(), 1, distances.data(), labels.data());

  Clustering result;
  result.cluster.assign(labels.begin(), labels.end());
  result.centres = Tensor::of<float>({k, d}, clustering.centroids);
  for (const float distance : distances) result.objective += static_cast<double>(distance);
  return result;
}

}  // namespace dml
