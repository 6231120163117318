#pragma once
#include "dml/tuples.hpp"
#include "engine/kernel.hpp"
#include "engine/random.hpp"

namespace dml {

/// Equal intervals from low to high; half-open, the last one closed.
struct EqualBins {
  double low, high;
  std::int64_t count;

  /// The k-th of count + 1 edges, from the nearer end, so that both ends are exact.
  DML_HOST_DEVICE double edge(std::int64_t k) const {
    const double width = (high - low) / static_cast<double>(count);
    return 2 * k < count + 1 ? low + width * static_cast<double>(k)
                             : high - width * static_cast<double>(count - k);
  }
  /// The interval of a value within [low, high].
  DML_HOST_DEVICE std::int64_t of(double value) const {
    if (!(high > low)) return count - 1;
    auto bin = static_cast<std::int64_t>((value - low) / (high - low) * static_cast<double>(count));
    bin = bin < 0 ? 0 : bin < count ? bin : count - 1;
    while (bin > 0 && value < edge(bin)) --bin;
    while (bin < count - 1 && value >= edge(bin + 1)) ++bin;
    return bin;
  }
};

namespace kernel {

/// Which share of the pairs of each side extreme_pairs keeps.
struct ExtremeInputs {
  Tensor relation{};  ///< [n, q] f32
  double sign = 1;    ///< of a distance 1, of a similarity -1
  double share = 0.5;
};
/// out [n, q] f32: the relation of the ceil(share * number) furthest positive pairs and as many
/// nearest negative ones; of equal distances the first in the order of rows.
inline constinit Kernel<void(const Tensor& matrix, const ExtremeInputs& in, Tensor& out)>
    extreme_pairs{"extreme pairs"};

/// What draw_negatives reads.
struct DrawInputs {
  Tensor anchor{}, positive{};  ///< [t] i64
  Random random{0, Purpose::mine};
};
/// For every t a column of row anchor[t], by the probabilities of that row; entries of rows without
/// any are left out. Fills the members of `list`, [t] and [].
inline constinit Kernel<void(const Tensor& probabilities, const DrawInputs& in, Tuples& list)>
    draw_negatives{"draw negatives"};

/// What draw_from_bins reads.
struct BinInputs {
  Tensor relation{};  ///< [n, q] f32
  std::int64_t bins = 100;
  std::int64_t positives = 10, negatives = 10;  ///< drawn from each bin
  Random random{0, Purpose::mine};
};
/// out [n, q] f32: the relation of pairs drawn with replacement from every bin of the distances of
/// the positive pairs, and of the negative ones.
inline constinit Kernel<void(const Tensor& matrix, const BinInputs& in, Tensor& out)>
    draw_from_bins{"draw from bins"};

}  // namespace kernel
}  // namespace dml
