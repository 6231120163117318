#include <algorithm>

#include "dml/distance.hpp"
#include "ops/arithmetic.hpp"
#include "ops/clamp.hpp"
#include "ops/euclidean.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/sum.hpp"
#include "ops/variance.hpp"

namespace dml {
namespace {

/// var(q - r) / max(var(q), 1e-12), unbiased over the components: the query's variance divides, so
/// it is not symmetric (Yuan et al., Signal-to-Noise Ratio, CVPR 2019). The variance of a
/// difference is the squared distance of the centred rows over d - 1.
class Snr final : public Distance {
 public:
  using Options = DistanceOptions;
  Snr(Options options, const Setup&) : Distance(options, false) {}

  Var rowwise(const Var& query, const Var& reference) const override {
    const Var apart = sum(square(centred(query - reference, -1)), -1);
    return apart / floor_of(query);
  }

 protected:
  Var matrix(const Var& query, const Var* reference) const override {
    const Var q = centred(query, -1);
    const Var squared =
        reference == nullptr ? euclidean(q, 2) : euclidean(q, centred(*reference, -1), 2);
    const Var noise = reshape(floor_of(query), {query.dim(0), 1});
    return raised(squared / broadcast_to(noise, squared.shape()));
  }

 private:
  /// (d - 1) max(variance, 1e-12) of every row.
  static Var floor_of(const Var& x) {
    const double free = static_cast<double>(std::max<std::int64_t>(x.dim(1) - 1, 1));
    return clamp_min(sum(square(centred(x, -1)), -1), 1e-12 * free);
  }
};

const Register<Distance, Snr> snr_distance{{
    .name = "snr",
    .summary = "variance of the difference over the variance of the anchor; not symmetric",
    .paper = "Yuan et al., Signal-to-Noise Ratio: A Robust Distance Metric for Deep Metric "
             "Learning, CVPR 2019",
}};

}  // namespace
}  // namespace dml
