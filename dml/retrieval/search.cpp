#include "dml/retrieval/search.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/cpu/parallel.hpp"
#include "ops/matmul.hpp"

namespace dml {
namespace {

/// More candidates than k are kept by this many, to be ordered in f64.
constexpr std::int64_t spare = 32;
constexpr double shortest_row = 1e-12;
/// Neighbours in a block that is handed over, at 8 bytes each.
constexpr std::int64_t block_neighbours = 8 << 20;

template <class T> double squared_length(const T* x, std::int64_t d) {
  double sum = 0;
  for (std::int64_t i = 0; i < d; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

std::vector<double> lengths(const Tensor& x) {
  std::vector<double> result(static_cast<std::size_t>(x.dim(0)));
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < x.dim(0); ++i)
      result[static_cast<std::size_t>(i)] =
          std::sqrt(squared_length(x.raw<T>() + i * x.dim(1), x.dim(1)));
  });
  return result;
}

/// ||row||^2 / 2: what <q, g> is short of -||q - g||^2 / 2, up to what depends on q alone.
Tensor half_squares(const Tensor& x) {
  Tensor result = Tensor::empty({x.dim(0)}, x.dtype());
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < x.dim(0); ++i)
      result.raw<T>()[i] = static_cast<T>(squared_length(x.raw<T>() + i * x.dim(1), x.dim(1)) / 2);
  });
  return result;
}

/// Exact distances of candidates, and their final order.
class Ranking {
 public:
  Ranking(const Tensor& queries, const Tensor& gallery, SearchDistance distance)
      : queries_(queries), gallery_(gallery), distance_(distance) {
    if (distance_ == SearchDistance::cosine) {
      query_length_ = lengths(queries);
      gallery_length_ = lengths(gallery);
    }
  }

  /// Writes the best of the candidates of query q to that row of the result.
  template <class T>
  void write(std::int64_t q, std::span<const std::int64_t> candidates, std::int64_t row,
             Neighbours& result) const {
    std::vector<std::pair<double, std::int64_t>> found;
    found.reserve(candidates.size());
    for (const std::int64_t i : candidates)
      if (i >= 0) found.emplace_back(exact<T>(q, i), i);
    std::sort(found.begin(), found.end());
    const std::int64_t n = std::min(static_cast<std::int64_t>(found.size()), result.k);
    for (std::int64_t r = 0; r < n; ++r) {
      const auto& [distance, i] = found[static_cast<std::size_t>(r)];
      result.index[static_cast<std::size_t>(row * result.k + r)] = static_cast<std::int32_t>(i);
      result.distance[static_cast<std::size_t>(row * result.k + r)] =
          static_cast<float>(distance_ == SearchDistance::cosine ? distance : std::sqrt(distance));
    }
  }

 private:
  /// What neighbours are ordered by: 1 - cosine, or the square of the distance.
  template <class T> double exact(std::int64_t q, std::int64_t i) const {
    const std::int64_t d = queries_.dim(1);
    const T *a = queries_.raw<T>() + q * d, *b = gallery_.raw<T>() + i * d;
    double sum = 0;
    if (distance_ == SearchDistance::cosine) {
#pragma omp simd reduction(+ : sum)
      for (std::int64_t c = 0; c < d; ++c)
        sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
      return 1 - sum / (std::max(query_length_[static_cast<std::size_t>(q)], shortest_row) *
                        std::max(gallery_length_[static_cast<std::size_t>(i)], shortest_row));
    }
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < d; ++c) {
      const double difference = static_cast<double>(a[c]) - static_cast<double>(b[c]);
      sum += difference * difference;
    }
    return sum;
  }

  const Tensor& queries_;
  const Tensor& gallery_;
  SearchDistance distance_;
  std::vector<double> query_length_, gallery_length_;
};

Tensor filled(const Device& device, const Shape& shape, DType type, double value) {
  Tensor result = Tensor::empty(shape, type);
  if (type == DType::i64) {
    for (std::int64_t& one : result.data<std::int64_t>()) one = static_cast<std::int64_t>(value);
  } else {
    visit_float(type, [&]<class T>() {
      for (T& one : result.data<T>()) one = static_cast<T>(value);
    });
  }
  return device.upload(result);
}

/// The gallery as the tiles want it: unit rows, or rows with their half squares.
struct Prepared {
  Tensor rows, offset;
};

Prepared prepare(const Device& device, const Tensor& x, SearchDistance distance) {
  if (distance == SearchDistance::cosine) return {device.upload(unit_rows(x)), {}};
  return {device.upload(x), device.upload(half_squares(x))};
}

/// Gallery indices [rows, keep] of the best candidates of some queries.
Tensor candidates(Device& device, const Tensor& queries, const Prepared& gallery,
                  const Tensor& self, std::int64_t keep, const SearchOptions& options) {
  const std::int64_t m = queries.dim(0), n = gallery.rows.dim(0);
  const DType type = queries.dtype();
  Tensor best = filled(device, {m, keep}, type, -std::numeric_limits<double>::infinity());
  Tensor index = filled(device, {m, keep}, DType::i64, Neighbours::none);
  const Tensor scores = device.empty({m, std::min(n, options.gallery_rows)}, type);
  for (std::int64_t first = 0; first < n; first += options.gallery_rows) {
    const std::int64_t last = std::min(first + options.gallery_rows, n);
    Tensor tile = scores.channels(0, last - first);
    kernel::matmul(device, queries, gallery.rows.rows(first, last), {.b = true}, 1, 0, tile);
    if (gallery.offset.defined())
      kernel::subtract_row(device, gallery.offset.rows(first, last), tile);
    kernel::select_best(device, tile, first, self, best, index);
  }
  return index;
}

/// Every gallery index except one.
std::vector<std::int64_t> all_but(std::int64_t own, std::int64_t n) {
  std::vector<std::int64_t> others;
  others.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i)
    if (i != own) others.push_back(i);
  return others;
}

void check(const Tensor& queries, const Tensor& gallery, std::span<const std::int64_t> self,
           const SearchOptions& options) {
  DML_CHECK(queries.rank() == 2 && gallery.rank() == 2 && queries.dim(1) == gallery.dim(1),
            fmt::format("search: queries {} and gallery {} must be [q, d] and [n, d]",
                        to_string(queries.shape()), to_string(gallery.shape())));
  DML_CHECK(queries.dtype() == gallery.dtype(), "search: queries and gallery differ in type");
  DML_CHECK(self.empty() || static_cast<std::int64_t>(self.size()) == queries.dim(0),
            fmt::format("search: {} places of queries in the gallery for {} queries", self.size(),
                        queries.dim(0)));
  DML_CHECK(options.k >= 1 && options.query_rows >= 1 && options.gallery_rows >= 1,
            "search: k and the sizes of a tile must be at least 1");
  DML_CHECK(gallery.dim(0) <= std::numeric_limits<std::int32_t>::max(),
            "search: a gallery has at most 2^31 - 1 rows");
}

}  // namespace

SearchDistance distance_of(const std::string& name) {
  if (name == "cosine") return SearchDistance::cosine;
  if (name == "euclidean") return SearchDistance::euclidean;
  throw UsageError(fmt::format("no distance named '{}'; known: cosine, euclidean", name));
}

const char* name_of(SearchDistance distance) {
  return distance == SearchDistance::cosine ? "cosine" : "euclidean";
}

Tensor unit_rows(const Tensor& x) {
  const Tensor host = x.to_host().dense();
  const std::vector<double> length = lengths(host);
  Tensor result = Tensor::empty(host.shape(), host.dtype());
  visit_float(host.dtype(), [&]<class T>() {
    const std::int64_t d = host.dim(1);
    for (std::int64_t i = 0; i < host.dim(0); ++i) {
      const double bounded = std::max(length[static_cast<std::size_t>(i)], shortest_row);
      for (std::int64_t c = i * d; c < (i + 1) * d; ++c)
        result.raw<T>()[c] = static_cast<T>(static_cast<double>(host.raw<T>()[c]) / bounded);
    }
  });
  return result;
}

void require_finite(const Tensor& x, const char* what) {
  visit_float(x.dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < x.size(); ++i)
      if (!std::isfinite(x.raw<T>()[i]))
        throw NumericError(fmt::format(
            "{}: row {} of {} holds {} at place {}\n  the net has diverged, or its weights are "
            "damaged",
            what, i / x.dim(1), x.dim(0), static_cast<double>(x.raw<T>()[i]), i % x.dim(1)));
  });
}

void search_blocks(Device& device, const Tensor& queries, const Tensor& gallery,
                   std::span<const std::int64_t> self, const SearchOptions& options,
                   const TakeBlock& take) {
  check(queries, gallery, self, options);
  const Tensor host_queries = queries.to_host().dense(), host_gallery = gallery.to_host().dense();
  require_finite(host_queries, "queries");
  require_finite(host_gallery, "gallery");
  const std::int64_t q = queries.dim(0), n = gallery.dim(0), k = std::min(options.k, n);
  if (q == 0 || n == 0) return;

  const Ranking ranking(host_queries, host_gallery, options.distance);
  const std::int64_t keep = std::min(k + spare, n);
  const bool all = keep == n;  // then there is nothing to select
  const Prepared rows = all ? Prepared{} : prepare(device, host_queries, options.distance);
  const Prepared against = all ? Prepared{} : prepare(device, host_gallery, options.distance);
  const std::int64_t step = std::clamp<std::int64_t>(block_neighbours / k, 1, options.query_rows);
  for (std::int64_t first = 0; first < q; first += step) {
    const std::int64_t last = std::min(first + step, q);
    Tensor own = filled(Device(Backend::reference), {last - first}, DType::i64, Neighbours::none);
    if (!self.empty())
      std::copy(self.begin() + first, self.begin() + last, own.data<std::int64_t>().begin());
    Tensor index;
    if (!all)
      index = candidates(device, rows.rows.rows(first, last), against, device.upload(own), keep,
                         options)
                  .to_host();
    Neighbours block{.queries = last - first, .k = k};
    block.index.assign(static_cast<std::size_t>(block.queries * k), Neighbours::none);
    block.distance.assign(block.index.size(), std::numeric_limits<float>::infinity());
    visit_float(host_queries.dtype(), [&]<class T>() {
      cpu::parallel_for(
          device.threads(), last - first, all ? 1 : 8, [&](std::int64_t from, std::int64_t to) {
            std::vector<std::int64_t> others;
            for (std::int64_t i = from; i < to; ++i) {
              if (all) others = all_but(own.raw<std::int64_t>()[i], n);
              const std::span<const std::int64_t> found =
                  all ? std::span<const std::int64_t>(others) : index.row<std::int64_t>(i);
              ranking.write<T>(first + i, found, i, block);
            }
          });
    });
    take(first, block);
  }
}

Neighbours search(Device& device, const Tensor& queries, const Tensor& gallery,
                  std::span<const std::int64_t> self, const SearchOptions& options) {
  check(queries, gallery, self, options);
  Neighbours result{.queries = queries.dim(0), .k = std::min(options.k, gallery.dim(0))};
  result.index.reserve(static_cast<std::size_t>(result.queries * result.k));
  result.distance.reserve(result.index.capacity());
  search_blocks(
      device, queries, gallery, self, options, [&](std::int64_t, const Neighbours& block) {
        result.index.insert(result.index.end(), block.index.begin(), block.index.end());
        result.distance.insert(result.distance.end(), block.distance.begin(), block.distance.end());
      });
  return result;
}

}  // namespace dml
