#include "dml/distance.hpp"
#include "ops/arithmetic.hpp"
#include "ops/matmul.hpp"
#include "ops/self_product.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// sum_k q_k r_k; of normalised rows unless `normalize` is off.
class Dot : public Distance {
 public:
  using Options = DistanceOptions;
  Dot(Options options, const Setup&) : Distance(options, true) {}

  Var rowwise(const Var& query, const Var& reference) const override {
    return sum(query * reference, -1);
  }

 protected:
  Var matrix(const Var& query, const Var* reference) const override {
    return raised(reference == nullptr ? self_product(query)
                                       : matmul(query, *reference, {.a = false, .b = true}));
  }
};

/// Dot of rows that are always normalised.
class Cosine final : public Dot {
 public:
  Cosine(Options options, const Setup& setup) : Dot(checked(options), setup) {}

 private:
  static Options checked(Options options) {
    if (!options.normalize)
      throw UsageError("normalises always\n  use dot for products of raw embeddings");
    return options;
  }
};

const Register<Distance, Dot> dot{{
    .name = "dot",
    .summary = "inner product, a similarity; of normalised rows unless normalize = false",
}};
const Register<Distance, Cosine> cosine_distance{{
    .name = "cosine",
    .summary = "cosine of the angle, a similarity",
}};

}  // namespace
}  // namespace dml
