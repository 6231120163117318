#pragma once
#include <cstdint>

#include "engine/registry.hpp"
#include "engine/tape.hpp"

namespace dml {

/// A penalty on embeddings or on what a loss learns (proxies, class vectors). Configured inside a
/// loss: `loss.embedding_regularizer=lp`, `loss.embedding_reg_weight=0.1`.
class Regularizer {
 public:
  static constexpr const char* kind = "regularizer";
  /// What a regulariser is made for.
  struct Setup {
    std::int64_t classes = 0;            ///< of the training set; 0 when not known
    std::int64_t centers_per_class = 1;  ///< rows of the parameter that one class has
  };

  virtual ~Regularizer() = default;
  Regularizer() = default;
  Regularizer(const Regularizer&) = delete;
  Regularizer& operator=(const Regularizer&) = delete;

  /// The penalty, not yet weighted.   [rows, d] -> []
  virtual Var operator()(const Var& rows) const = 0;
};

}  // namespace dml
