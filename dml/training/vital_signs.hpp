#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "engine/event.hpp"
#include "engine/parameter.hpp"

namespace dml {

/// What shows early that a training of embeddings goes wrong, from the embeddings of one batch
/// (of a large one: its first 256 rows).
struct VitalSigns {
  /// Mean Euclidean distance of rows of length 1, 0..2, of pairs of one class and of pairs of
  /// different classes; absent where the batch has no such pair.
  std::optional<double> positive_distance, negative_distance;
  /// How many directions the embeddings use: (sum l)^2 / sum l^2 of the eigenvalues l of the
  /// covariance of the rows of length 1; 0 where all rows are the same.
  double rank = 0;
  /// The share of the images of the whole batch that are alone of their class in it.
  double alone = 0;

  /// By their names in logs: `d+`, `d-`, `rank`.
  Figures figures() const;
};

/// @param embeddings  [n, d] f32 or f64 on the host, finite
/// @param labels      [n]
VitalSigns vital_signs(const Tensor& embeddings, std::span<const std::int64_t> labels);

/// The share of anchors that a loss still has a value for, by the name of the sub-loss
/// (`active_pos_loss`; plain `active` where there is one alone). Of a loss with a margin it falls
/// while the net learns; at 0 nothing is learnt any more.
/// @param items  Loss::items()
Figures active_shares(const std::map<std::string, Tensor>& items);

/// The mean length of the rows of the matrices that a loss learns (proxies, class vectors); absent
/// where it learns none.
std::optional<double> mean_proxy_norm(const ParameterStore& store);

/// Looks at one batch after the other and says in words, once, what is wrong.
class Watch {
 public:
  /// @param pairs  Requirements::pairs of the loss
  explicit Watch(bool pairs) : pairs_(pairs) {}

  /// @return a warning, or "".
  std::string look(const VitalSigns& signs, double loss, std::int64_t step);

 private:
  std::string told_once(bool& told, std::string text);

  bool pairs_;
  std::deque<double> losses_;
  int collapsed_ = 0;  ///< so many times in a row
  int mixed_ = 0;      ///< likewise: one class is not nearer than different ones
  int lonely_ = 0;     ///< likewise: half of the images are alone of their class
  bool told_collapse_ = false, told_stuck_ = false, told_lonely_ = false;
};

}  // namespace dml
