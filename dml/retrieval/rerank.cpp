#include "dml/retrieval/rerank.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/cpu/parallel.hpp"

namespace dml {
namespace {

using Ids = std::vector<std::int64_t>;

/// A sparse vector over the rows, by ascending row.
using Sparse = std::vector<std::pair<std::int64_t, double>>;

/// Squared distances between rows, each divided by the largest of the first row.
class Distances {
 public:
  Distances(const Tensor& rows, SearchDistance distance, int threads)
      : rows_(distance == SearchDistance::cosine ? unit_rows(rows) : rows),
        largest_(static_cast<std::size_t>(rows.dim(0)), 0) {
    cpu::parallel_for(threads, rows_.dim(0), 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        double most = 0;
        for (std::int64_t j = 0; j < rows_.dim(0); ++j) most = std::max(most, squared(i, j));
        largest_[static_cast<std::size_t>(i)] = most;
      }
    });
  }

  double operator()(std::int64_t i, std::int64_t j) const {
    const double most = largest_[static_cast<std::size_t>(i)];
    return most > 0 ? squared(i, j) / most : 0;
  }

 private:
  double squared(std::int64_t i, std::int64_t j) const {
    double sum = 0;
    visit_float(rows_.dtype(), [&]<class T>() {
      const std::int64_t d = rows_.dim(1);
      const T *a = rows_.raw<T>() + i * d, *b = rows_.raw<T>() + j * d;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t c = 0; c < d; ++c) {
        const double apart = static_cast<double>(a[c]) - static_cast<double>(b[c]);
        sum += apart * apart;
      }
    });
    return sum;
  }

  Tensor rows_;
  std::vector<double> largest_;
};

/// The nearest rows of every row, itself first.
class Lists {
 public:
  Lists(Device& device, const Tensor& rows, std::int64_t k, SearchDistance distance)
      : k_(std::min(k, rows.dim(0))) {
    Ids self(static_cast<std::size_t>(rows.dim(0)));
    std::iota(self.begin(), self.end(), std::int64_t{0});
    const Neighbours found = search(device, rows, rows, self,
                                    {.distance = distance, .k = std::max<std::int64_t>(1, k_ - 1)});
    ids_.reserve(static_cast<std::size_t>(rows.dim(0) * k_));
    for (std::int64_t i = 0; i < rows.dim(0); ++i) {
      ids_.push_back(i);
      for (std::int64_t r = 0; r + 1 < k_; ++r) ids_.push_back(found.at(i, r));
    }
  }

  /// The first `count` of row i.
  std::span<const std::int64_t> of(std::int64_t i, std::int64_t count) const {
    return {ids_.data() + i * k_, static_cast<std::size_t>(std::min(count, k_))};
  }

  /// Those of the first k + 1 that have row i among their own first k + 1; ascending.
  Ids reciprocal(std::int64_t i, std::int64_t k) const {
    Ids mutual;
    for (const std::int64_t other : of(i, k + 1)) {
      const auto theirs = of(other, k + 1);
      if (std::find(theirs.begin(), theirs.end(), i) != theirs.end()) mutual.push_back(other);
    }
    std::sort(mutual.begin(), mutual.end());
    return mutual;
  }

  /// The reciprocal neighbours, with those of every candidate that shares more than two thirds.
  Ids expanded(std::int64_t i, std::int64_t k) const {
    const Ids own = reciprocal(i, k);
    Ids all = own;
    const auto half = static_cast<std::int64_t>(std::nearbyint(static_cast<double>(k) / 2));
    for (const std::int64_t candidate : own) {
      const Ids theirs = reciprocal(candidate, half);
      Ids shared;
      std::set_intersection(theirs.begin(), theirs.end(), own.begin(), own.end(),
                            std::back_inserter(shared));
      if (3 * shared.size() > 2 * theirs.size())
        all.insert(all.end(), theirs.begin(), theirs.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

 private:
  std::int64_t k_;
  Ids ids_;
};

std::vector<Sparse> encode(const Lists& lists, const Distances& distances, std::int64_t n,
                           std::int64_t k1, int threads) {
  std::vector<Sparse> codes(static_cast<std::size_t>(n));
  cpu::parallel_for(threads, n, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      Sparse& code = codes[static_cast<std::size_t>(i)];
      double sum = 0;
      for (const std::int64_t j : lists.expanded(i, k1)) {
        code.emplace_back(j, std::exp(-distances(i, j)));
        sum += code.back().second;
      }
      for (auto& [j, weight] : code) weight /= sum;
    }
  });
  return codes;
}

/// The mean of the codes of the k nearest of every row.
std::vector<Sparse> averaged(const std::vector<Sparse>& codes, const Lists& lists, std::int64_t k) {
  std::vector<Sparse> means(codes.size());
  std::vector<double> dense(codes.size(), 0);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto nearest = lists.of(static_cast<std::int64_t>(i), k);
    Ids used;
    for (const std::int64_t other : nearest)
      for (const auto& [j, weight] : codes[static_cast<std::size_t>(other)]) {
        double& sum = dense[static_cast<std::size_t>(j)];
        if (sum == 0) used.push_back(j);
        sum += weight;
      }
    std::sort(used.begin(), used.end());
    for (const std::int64_t j : used) {
      double& sum = dense[static_cast<std::size_t>(j)];
      means[i].emplace_back(j, sum / static_cast<double>(nearest.size()));
      sum = 0;
    }
  }
  return means;
}

/// Which gallery places have a weight on every row, and how much.
std::vector<Sparse> inverted(const std::vector<Sparse>& codes,
                             std::span<const std::int64_t> gallery) {
  std::vector<Sparse> index(codes.size());
  for (std::size_t g = 0; g < gallery.size(); ++g)
    for (const auto& [j, weight] : codes[static_cast<std::size_t>(gallery[g])])
      index[static_cast<std::size_t>(j)].emplace_back(static_cast<std::int64_t>(g), weight);
  return index;
}

void check(const RerankOptions& rerank) {
  if (rerank.k1 < 1 || rerank.k2 < 1 || !(rerank.lambda >= 0 && rerank.lambda <= 1))
    throw UsageError(fmt::format(
        "re-ranking: k1 = {}, k2 = {}, lambda = {}; k1 and k2 are at least 1, lambda is 0 to 1",
        rerank.k1, rerank.k2, rerank.lambda));
}

/// Writes the k best of the scores to a row of the block.
void write_best(std::vector<std::pair<double, std::int64_t>>& scored, std::int64_t row,
                Neighbours& block) {
  const auto count = std::min<std::ptrdiff_t>(std::ssize(scored), block.k);
  std::partial_sort(scored.begin(), scored.begin() + count, scored.end());
  for (std::ptrdiff_t r = 0; r < count; ++r) {
    const auto& [distance, place] = scored[static_cast<std::size_t>(r)];
    block.index[static_cast<std::size_t>(row * block.k + r)] = static_cast<std::int32_t>(place);
    block.distance[static_cast<std::size_t>(row * block.k + r)] = static_cast<float>(distance);
  }
}

}  // namespace

void rerank_blocks(Device& device, const Tensor& rows, std::span<const std::int64_t> queries,
                   std::span<const std::int64_t> gallery, std::span<const std::int64_t> self,
                   const RerankOptions& rerank, const SearchOptions& options,
                   const TakeBlock& take) {
  check(rerank);
  const int threads = device.threads();
  const std::int64_t n = rows.dim(0), found = std::ssize(gallery);
  if (queries.empty() || gallery.empty()) return;
  const Lists lists(device, rows, std::max(rerank.k1 + 1, rerank.k2), options.distance);
  const Distances distances(rows, options.distance, threads);
  std::vector<Sparse> codes = encode(lists, distances, n, rerank.k1, threads);
  if (rerank.k2 > 1) codes = averaged(codes, lists, rerank.k2);
  const std::vector<Sparse> index = inverted(codes, gallery);

  const std::int64_t k = std::min(options.k, found);
  const std::int64_t step = std::clamp<std::int64_t>((8 << 20) / k, 1, options.query_rows);
  for (std::int64_t first = 0; first < std::ssize(queries); first += step) {
    Neighbours block{.queries = std::min<std::int64_t>(step, std::ssize(queries) - first), .k = k};
    block.index.assign(static_cast<std::size_t>(block.queries * k), Neighbours::none);
    block.distance.assign(block.index.size(), std::numeric_limits<float>::infinity());
    cpu::parallel_for(threads, block.queries, 1, [&](std::int64_t from, std::int64_t to) {
      std::vector<double> shared(gallery.size());
      std::vector<std::pair<double, std::int64_t>> scored;
      for (std::int64_t i = from; i < to; ++i) {
        const std::size_t q = static_cast<std::size_t>(first + i);
        std::fill(shared.begin(), shared.end(), 0.0);
        for (const auto& [j, weight] : codes[static_cast<std::size_t>(queries[q])])
          for (const auto& [g, other] : index[static_cast<std::size_t>(j)])
            shared[static_cast<std::size_t>(g)] += std::min(weight, other);
        scored.clear();
        for (std::size_t g = 0; g < gallery.size(); ++g) {
          if (!self.empty() && self[q] == static_cast<std::int64_t>(g)) continue;
          const double jaccard = 1 - shared[g] / (2 - shared[g]);
          scored.emplace_back(
              rerank.lambda * distances(queries[q], gallery[g]) + (1 - rerank.lambda) * jaccard,
              static_cast<std::int64_t>(g));
        }
        write_best(scored, i, block);
      }
    });
    take(first, block);
  }
}

}  // namespace dml
