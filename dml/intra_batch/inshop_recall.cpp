#include "dml/intra_batch/inshop_recall.hpp"

#include <fmt/core.h>

#include <limits>

#include "ops/l2_normalize.hpp"
#include "ops/matmul.hpp"

namespace dml::intra_batch {
namespace {

/// How many rows of other classes are more similar than the best of the own class.
template <class T>
std::int64_t better(std::span<const T> row, std::int64_t label,
                    std::span<const std::int64_t> gallery, std::size_t query) {
  T best = -std::numeric_limits<T>::infinity();
  bool found = false;
  for (std::size_t j = 0; j < row.size(); ++j)
    if (gallery[j] == label) {
      found = true;
      best = row[j] > best ? row[j] : best;
    }
  if (!found)
    throw DataError(fmt::format("recall: query {} is of class {}, of which the gallery has nothing",
                                query, label));
  std::int64_t count = 0;
  for (std::size_t j = 0; j < row.size(); ++j) count += gallery[j] != label && row[j] > best;
  return count;
}

}  // namespace

Var inshop_similarity(const Var& queries, const Var& gallery) {
  return matmul(l2_normalize(queries, 1e-12, NormFloor::added),
                l2_normalize(gallery, 1e-12, NormFloor::added), {.b = true});
}

std::vector<double> inshop_recall(const Tensor& similarity, std::span<const std::int64_t> queries,
                                  std::span<const std::int64_t> gallery,
                                  std::span<const std::int64_t> ks) {
  std::vector<double> recall(ks.size(), 0);
  visit_float(similarity.dtype(), [&]<class T>() {
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto row = similarity.row<T>(static_cast<std::int64_t>(q));
      const std::int64_t ahead = better<T>({row.data(), row.size()}, queries[q], gallery, q);
      for (std::size_t i = 0; i < ks.size(); ++i) recall[i] += ahead < ks[i] ? 1 : 0;
    }
  });
  for (double& one : recall) one /= static_cast<double>(queries.size());
  return recall;
}

}  // namespace dml::intra_batch
