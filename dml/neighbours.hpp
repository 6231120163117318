#pragma once
#include <cstdint>
#include <vector>

namespace dml {

/// How far apart two embeddings are.
enum class SearchDistance : std::uint8_t {
  cosine,     ///< 1 - <a, b> / (||a|| ||b||); rows shorter than 1e-12 are divided by 1e-12
  euclidean,  ///< ||a - b||
};

/// The k nearest gallery items of some queries, nearest first; equal distances are ordered by lower
/// gallery index; a query that is in the gallery itself is left out (see EvaluateOptions::exclude).
struct Neighbours {
  static constexpr std::int32_t none = -1;

  std::int64_t queries = 0;
  std::int64_t k = 0;                       ///< columns; fewer neighbours than that end in `none`
  std::vector<std::int32_t> index{};        ///< [queries, k] position in the gallery
  std::vector<float> distance{};            ///< [queries, k] see Search::distance; infinity at none
  std::vector<std::int64_t> query_class{};  ///< [queries]
  std::vector<std::int64_t> gallery_class{};  ///< [gallery]
  std::vector<std::int64_t> positives{};  ///< [queries] gallery items of the class, itself excluded
  std::vector<std::int64_t> class_size{};  ///< [queries] the same with the query, if it is in there

  /// Position in the gallery of the neighbour of rank r (from 0) of query q, or `none`.
  std::int64_t at(std::int64_t q, std::int64_t r) const {
    return index[static_cast<std::size_t>(q * k + r)];
  }
  /// The class of that neighbour; `none` where there is none.
  std::int64_t class_at(std::int64_t q, std::int64_t r) const {
    const std::int64_t i = at(q, r);
    return i == none ? none : gallery_class[static_cast<std::size_t>(i)];
  }
  /// Whether that neighbour is of the class of the query.
  bool hit(std::int64_t q, std::int64_t r) const {
    return at(q, r) != none && class_at(q, r) == query_class[static_cast<std::size_t>(q)];
  }
};

}  // namespace dml
