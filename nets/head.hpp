#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "engine/schema.hpp"
#include "nets/layers.hpp"
#include "ops/l2_normalize.hpp"

namespace dml {

/// @see Head
struct HeadOptions {
  std::string pooling = "avg";
  std::int64_t dim = 0;
  std::string init = "uniform";
  std::string normalize = "none";
  double dropout = 0;
  bool neck = false;
  std::string name = "embedding";
  static constexpr std::tuple fields{
      field(
          "pooling", &HeadOptions::pooling,
          "how the last map becomes features: its mean, maximum, or their sum; avg7 and max7 use a "
          "window of 7 x 7 instead of the whole map",
          "avg|max|both|avg7|max7"),
      field("dim", &HeadOptions::dim, "size of the embedding; 0: the pooled features themselves",
            {0, 65536}),
      field("init", &HeadOptions::init,
            "how the embedding layer begins: uniform in +-1/sqrt(in); he: normal, fan-out, bias 0; "
            "truncated: normal 0.1 cut at two deviations, bias 0.1; small: normal 0.001 cut at two "
            "deviations, bias 0",
            "uniform|he|truncated|small"),
      field(
          "normalize", &HeadOptions::normalize,
          "l2 normalisation of the embedding: none, x / max(|x|, 1e-12), or x / sqrt(x^2 + 1e-12)",
          "none|maximum|added"),
      field("dropout", &HeadOptions::dropout,
            "share of the pooled features that the embedding layer does not see in training",
            {0, 0.99}),
      field("neck", &HeadOptions::neck,
            "a batch norm without trained bias on the embedding, for the classifier"),
      field("name", &HeadOptions::name, "name of the embedding layer in checkpoints"),
  };
};

/// What a model makes of an image.
struct Outputs {
  Var features;   ///< [n, width] pooled map
  Var embedding;  ///< [n, dim] what retrieval compares; normalised when the head says so
  Var neck;  ///< [n, dim] batch-normed embedding before l2 normalisation; undefined without neck
};

/// Feature map to features and embedding: pooling, dropout, an optional linear layer, an optional
/// batch-norm neck (parameters `bottleneck.*`, as intra_batch), optional l2 normalisation.
class Head {
 public:
  /// @param width  channels of the map. @throws UsageError for options that contradict each other.
  Head(const HeadOptions& options, const Scope& scope, std::int64_t width);

  /// [n, h, w, width] -> [n, width]
  /// @throws ShapeError when a 7 x 7 window leaves more than one value per channel.
  Var pool(const Var& map) const;
  /// Everything, from a feature map.
  Outputs operator()(const Var& map) const;
  /// Size of the embedding.
  std::int64_t dim() const { return options_.dim == 0 ? width_ : options_.dim; }
  const HeadOptions& options() const { return options_; }

 private:
  HeadOptions options_;
  std::int64_t width_;
  std::optional<Linear> linear_;
  std::shared_ptr<NormState> norms_ = std::make_shared<NormState>();
  std::optional<BatchNorm> neck_;
};

}  // namespace dml
