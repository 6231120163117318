#include "dml/distance.hpp"
#include "ops/abs.hpp"
#include "ops/arithmetic.hpp"
#include "ops/euclidean.hpp"
#include "ops/minkowski.hpp"
#include "ops/norm.hpp"

namespace dml {
namespace {

/// (sum_k |q_k - r_k|^p)^(1/p)
class Lp final : public Distance {
 public:
  using Options = DistanceOptions;
  Lp(Options options, const Setup&) : Distance(options, false) {}

  Var rowwise(const Var& query, const Var& reference) const override {
    const Var apart = query - reference + 1e-6;
    const double p = options().p;
    if (p == 2) return norm(apart, -1);
    return power(sum(power(abs(apart), p), -1), 1 / p);
  }

 protected:
  Var matrix(const Var& query, const Var* reference) const override {
    if (options().p == 2)
      return reference == nullptr ? euclidean(query, options().power)
                                  : euclidean(query, *reference, options().power);
    return raised(minkowski(query, reference == nullptr ? query : *reference, options().p));
  }
};

const Register<Distance, Lp> lp_distance{{
    .name = "lp",
    .summary = "p-norm of the difference; Euclidean for p = 2, its square with power = 2",
    .aliases = {"l2", "euclidean"},
}};

}  // namespace
}  // namespace dml
