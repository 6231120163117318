#pragma once
#include <cstdint>

#include "engine/registry.hpp"
#include "engine/tape.hpp"

namespace dml {

/// What all distances can be told (losses: `loss.distance.power=2`).
struct DistanceOptions {
  double p = 2;
  double power = 1;
  bool normalize = true;
  static constexpr std::tuple fields{
      field("p", &DistanceOptions::p,
            "the norm: of the differences (lp) and of the normalisation; 1 or more", {1, 100}),
      field("power", &DistanceOptions::power, "exponent applied to every entry of the matrix",
            {1e-3, 100}),
      field("normalize", &DistanceOptions::normalize,
            "rows are divided by max(their p-norm, 1e-12) first"),
  };
};

/// How far apart, or how similar, two embeddings are. Configured inside a loss or a miner:
/// `loss.distance=snr`, `loss.distance.power=2`.
class Distance {
 public:
  static constexpr const char* kind = "distance";
  struct Setup {};

  virtual ~Distance() = default;
  Distance(const Distance&) = delete;
  Distance& operator=(const Distance&) = delete;

  /// Every query row against every reference row.   [n, d], [q, d] -> [n, q]
  /// @throws ShapeError unless both are matrices of equally long rows.
  Var operator()(const Var& query, const Var& reference) const;
  /// Every row against every row: one matrix product forward and one backward.   [n, d] -> [n, n]
  Var operator()(const Var& rows) const;
  /// Row i against row i: no normalisation and no power; lp adds 1e-6 to every component of the
  /// difference, as PyTorch's pairwise_distance does.   [n, d], [n, d] -> [n]
  virtual Var rowwise(const Var& query, const Var& reference) const = 0;

  /// The rows as they enter the matrix: divided by their p-norm if `normalize` (a row of zeros
  /// stays and gets no gradient).   [n, d] -> [n, d]
  Var prepared(const Var& rows) const;

  /// Whether larger values mean nearer.
  bool similarity() const { return similarity_; }
  /// m(u, v) = sign() (u - v) is positive when u is further than v.
  double sign() const { return similarity_ ? -1 : 1; }
  const DistanceOptions& options() const { return options_; }

 protected:
  Distance(DistanceOptions options, bool similarity) : options_(options), similarity_(similarity) {}
  /// The matrix of prepared rows, with the power applied; `reference` null means the query rows.
  virtual Var matrix(const Var& query, const Var* reference) const = 0;
  /// The power, element-wise; a negative base of a fractional power counts as 0.
  Var raised(const Var& matrix) const;

 private:
  DistanceOptions options_;
  bool similarity_;
};

}  // namespace dml
