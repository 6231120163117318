#include "dml/intra_batch/refine.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace dml::intra_batch {
namespace {

using Rows = std::vector<std::int64_t>;

/// Batches that pass through the network at once.
constexpr std::size_t together = 64;

Tensor rows_of(const Tensor& x, std::span<const std::int64_t> rows) {
  Tensor result = Tensor::empty({static_cast<std::int64_t>(rows.size()), x.dim(1)}, DType::f32);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto from = x.row<float>(rows[i]);
    std::copy(from.begin(), from.end(), result.row<float>(static_cast<std::int64_t>(i)).begin());
  }
  return result;
}

/// Row batch[0] of every batch, refined, goes to that row of `result`.
void refine_first(Device& device, const Network& network, const Tensor& x,
                  const std::vector<Rows>& batches, Tensor& result) {
  for (std::size_t first = 0; first < batches.size(); first += together) {
    const std::size_t last = std::min(first + together, batches.size());
    Rows rows;
    for (std::size_t b = first; b < last; ++b)
      rows.insert(rows.end(), batches[b].begin(), batches[b].end());
    const auto groups = static_cast<std::int64_t>(last - first);
    const auto tape = Tape::infer(device);
    const Var refined = network(tape->input(rows_of(x, rows)), groups, {}, false).features.back();
    const Tensor values = device.dense(refined.value()).to_host();
    const auto size = static_cast<std::int64_t>(batches[first].size());
    for (std::int64_t b = 0; b < groups; ++b) {
      const auto from = values.row<float>(b * size);
      std::copy(from.begin(), from.end(),
                result.row<float>(rows[static_cast<std::size_t>(b * size)]).begin());
    }
  }
}

}  // namespace

Tensor refine(Device& device, const Network& network, const Tensor& embeddings,
              std::span<const std::int64_t> queries, std::span<const std::int64_t> gallery,
              const ReciprocalOptions& options) {
  const Tensor x = embeddings.to_host().dense().to(DType::f32);
  Tensor result({x.dim(0), network.width()}, DType::f32);
  if (queries.empty() && gallery.empty()) {
    refine_first(device, network, x, k_reciprocal_batches(device, x, options), result);
    return result;
  }
  if (network.width() != x.dim(1))
    throw UsageError(fmt::format(
        "the gallery keeps its embeddings of {} numbers, refined queries have {}: they cannot be "
        "compared\n  set loss.cat = false and loss.red = 1",
        x.dim(1), network.width()));
  result = x.clone();
  auto batches = k_reciprocal_batches(device, rows_of(x, queries), rows_of(x, gallery), options);
  for (std::size_t q = 0; q < batches.size(); ++q) {
    for (std::int64_t& row : batches[q]) row = gallery[static_cast<std::size_t>(row)];
    batches[q].insert(batches[q].begin(), queries[q]);
  }
  refine_first(device, network, x, batches, result);
  return result;
}

}  // namespace dml::intra_batch
