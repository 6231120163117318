// Penalties that look at each row by itself, or at its length beside the others'.
#include "dml/regularizer.hpp"
#include "ops/abs.hpp"
#include "ops/arithmetic.hpp"
#include "ops/minkowski.hpp"
#include "ops/norm.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/sum.hpp"

namespace dml {
namespace {

/// Mean over rows of |x|_p^power; a row of zeros gets no gradient.
class LpNorm final : public Regularizer {
 public:
  struct Options {
    double p = 2;
    double power = 1;
    static constexpr std::tuple fields{
        field("p", &Options::p, "of the norm", {1, 100}),
        field("power", &Options::power, "exponent of the norm", {1, 100}),
    };
  };
  LpNorm(Options options, const Setup&) : options_(options) {}

  Var operator()(const Var& rows) const override {
    const Var lengths = length(rows);
    return mean(options_.power == 1 ? lengths : power(lengths, options_.power));
  }

 private:
  Var length(const Var& rows) const {
    if (options_.p == 2) return norm(rows, -1);
    if (options_.p == 1) return sum(abs(rows), -1);
    const Var zero = rows.constant_like(Tensor({1, rows.dim(1)}, rows.dtype()));
    return minkowski(rows, zero, options_.p);
  }

  Options options_;
};

/// Without options.
struct NoRowOptions {
  static constexpr std::tuple<> fields{};
};

/// Mean over rows of |sum_d x_d|.
class ZeroMean final : public Regularizer {
 public:
  using Options = NoRowOptions;
  ZeroMean(Options, const Setup&) {}
  Var operator()(const Var& rows) const override { return mean(abs(sum(rows, -1))); }
};

/// Mean over rows of (|w|^2 - mean |w|^2)^2 / 4.
class CenterInvariant final : public Regularizer {
 public:
  using Options = NoRowOptions;
  CenterInvariant(Options, const Setup&) {}
  Var operator()(const Var& rows) const override {
    const Var squares = sum(square(rows), -1);
    const Var apart = squares - broadcast_to(mean(squares), squares.shape());
    return 0.25 * mean(square(apart));
  }
};

const Register<Regularizer, LpNorm> lp{{
    .name = "lp",
    .summary = "mean p-norm of the rows",
}};
const Register<Regularizer, ZeroMean> zero_mean{{
    .name = "zero_mean",
    .summary = "mean size of the sum of the components",
    .paper = "Yuan et al., Signal-to-Noise Ratio: A Robust Distance Metric for Deep Metric "
             "Learning, CVPR 2019",
}};
const Register<Regularizer, CenterInvariant> center_invariant{{
    .name = "center_invariant",
    .summary = "vectors of equal length",
    .paper = "Wu et al., Deep Face Recognition with Center Invariant Loss, MM Workshops 2017",
}};

}  // namespace
}  // namespace dml
