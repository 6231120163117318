#include <fmt/format.h>

#include <cmath>

#include "dml/training/numbers.hpp"
#include "dml/training/trainer.hpp"
#include "engine/safetensors.hpp"

namespace dml {

/// Where the numbers went bad first: in the weights, in an image's embedding, in the loss, or in a
/// gradient, in the order in which a step computes them.
std::string Trainer::first_bad_number(const Batch& batch, const Tensor& embedding,
                                      double loss) const {
  for (const Parameter& parameter : parts_.store.all())
    if (first_not_finite(parameter.value) >= 0)
      return fmt::format("{} '{}'", parameter.is_buffer ? "buffer" : "parameter", parameter.name);
  const std::int64_t bad = first_not_finite(embedding);
  if (bad >= 0) {
    const auto row = static_cast<std::size_t>(bad / embedding.row_length());
    const auto item = static_cast<std::size_t>(batch.indices[row]);
    return fmt::format("embedding of {}", parts_.loader.items()[item].file.string());
  }
  if (!std::isfinite(loss)) return "the loss itself; all embeddings are finite";
  for (const Parameter& parameter : parts_.store.all())
    if (first_not_finite(parameter.grad) >= 0)
      return fmt::format("gradient of '{}'", parameter.name);
  return "the norm of all gradients together, which is too large for a number";
}

std::filesystem::path Trainer::save_batch(const Batch& batch) const {
  const auto count = static_cast<std::int64_t>(batch.labels.size());
  SafeTensors file;
  file.tensors = {{"images", batch.images},
                  {"labels", Tensor::of<std::int64_t>({count}, std::span(batch.labels))},
                  {"indices", Tensor::of<std::int64_t>({count}, std::span(batch.indices))}};
  file.metadata = {{"layout", "images [n, h, w, 3] as the net saw them"},
                   {"step", std::to_string(state_.step + 1)}};
  const auto path = folder_.path() / fmt::format("nan_step_{}.safetensors", state_.step + 1);
  write_safetensors(path, file);
  return path;
}

void Trainer::refuse_numbers(const Batch& batch, const Tensor& embedding, double loss) {
  const std::string what = std::isnan(loss)       ? "NaN in the loss"
                           : !std::isfinite(loss) ? "infinity in the loss"
                                                  : "NaN or infinity in the gradient";
  const std::string first = first_bad_number(batch, embedding, loss);
  const std::string saved = save_batch(batch).string();
  const double rate = parts_.optimizer.lr();
  throw NumericError(fmt::format(
      "{} at step {} (epoch {})\n  first NaN: {} (norm of the gradient before: {:.2g}); "
      "batch saved to {}\n  try --lr {:.2g}, or --clip-grad-norm 1",
      what, state_.step + 1, state_.epoch + 1, first, last_norm_, saved, rate / 3));
}

}  // namespace dml
