// Penalties on how rows lie to each other.
#include <fmt/core.h>

#include <algorithm>

#include "dml/regularizer.hpp"
#include "ops/arithmetic.hpp"
#include "ops/chord.hpp"
#include "ops/class_margin.hpp"
#include "ops/matmul.hpp"
#include "ops/max_axis.hpp"
#include "ops/reshape.hpp"
#include "ops/slice.hpp"
#include "ops/sum.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// Without options.
struct NoPairOptions {
  static constexpr std::tuple<> fields{};
};

/// Mean over rows of the largest cosine to another row; the gradient passes through that one alone.
/// Works on blocks of rows, so that the matrix of all of them never exists.
class RegularFace final : public Regularizer {
 public:
  using Options = NoPairOptions;
  RegularFace(Options, const Setup&) {}

  Var operator()(const Var& rows) const override {
    const std::int64_t n = rows.dim(0);
    const Var units = unit_rows(rows);
    if (n < 2) return 0.0 * sum(units);
    Var total;
    for (std::int64_t first = 0; first < n; first += block) {
      const std::int64_t last = std::min(n, first + block);
      Tensor itself = Tensor::empty({last - first}, DType::i64);
      for (std::int64_t i = first; i < last; ++i) itself.raw<std::int64_t>()[i - first] = i;
      const Var cosines = matmul(slice(units, 0, first, last), units, {.a = false, .b = true});
      const Var part = sum(max(without_own(cosines, itself), 1).values);
      total = first == 0 ? part : total + part;
    }
    return total / static_cast<double>(n);
  }

 private:
  static constexpr std::int64_t block = 1024;
};

/// Sum over the pairs of centers of one class of sqrt(2 - 2 cos) / (C K (K - 1)); pairs that
/// coincide cost nothing and get no gradient.
class SparseCenters final : public Regularizer {
 public:
  using Options = NoPairOptions;
  SparseCenters(Options, const Setup& setup)
      : classes_(setup.classes), centers_(setup.centers_per_class) {}

  Var operator()(const Var& rows) const override {
    const std::int64_t c = classes_, k = centers_;
    DML_CHECK(c * k == rows.dim(0),
              fmt::format("sparse_centers: {} rows, not {} classes times {} centers\n  it is made "
                          "for class vectors, not for embeddings",
                          rows.dim(0), c, k));
    const Var units = reshape(unit_rows(rows), {c, k, rows.dim(1)});
    if (k < 2) return 0.0 * sum(units);
    const Var apart = chord(matmul(units, units, {.a = false, .b = true}));
    Tensor upper = Tensor::empty({c, k, k}, rows.dtype());
    visit_float(rows.dtype(), [&]<class T>() {
      for (std::int64_t i = 0; i < upper.size(); ++i)
        upper.raw<T>()[i] = i / k % k < i % k ? T(1) : T(0);
    });
    return sum(apart * rows.constant_like(upper)) / static_cast<double>(c * k * (k - 1));
  }

 private:
  std::int64_t classes_, centers_;
};

const Register<Regularizer, RegularFace> regular_face{{
    .name = "regular_face",
    .summary = "mean over vectors of the largest cosine to another one",
    .paper = "Zhao et al., RegularFace: Deep Face Recognition via Exclusive Regularization, CVPR "
             "2019",
}};
const Register<Regularizer, SparseCenters> sparse_centers{{
    .name = "sparse_centers",
    .summary = "draws the centers of one class together",
    .paper = "Qian et al., SoftTriple Loss: Deep Metric Learning Without Triplet Sampling, ICCV "
             "2019",
}};

}  // namespace
}  // namespace dml
