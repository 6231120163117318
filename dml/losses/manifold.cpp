#include "dml/losses/manifold.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "dml/losses/common.hpp"
#include "ops/arithmetic.hpp"
#include "ops/class_margin.hpp"
#include "ops/exp.hpp"
#include "ops/gather.hpp"
#include "ops/keep_above.hpp"
#include "ops/matmul.hpp"
#include "ops/relu.hpp"
#include "ops/repeat.hpp"
#include "ops/reshape.hpp"
#include "ops/self_product.hpp"
#include "ops/slice.hpp"
#include "ops/softmax.hpp"
#include "ops/softplus.hpp"
#include "ops/sum.hpp"
#include "ops/unit_rows.hpp"

namespace dml {
namespace {

/// y = (I - a)^-1;  da = y^T dy y^T
struct NeumannInverse {
  int steps;
  Tensor y{};  // kept for the backward pass

  Tensor forward(Device& device, const Tensor& in) {
    const Shape& shape = in.shape();
    Tensor power = device.dense(in), square = device.empty(shape, in.dtype());
    y = device.empty(shape, in.dtype());
    add_identity(device, power, y);
    for (int k = 1; k < steps; ++k) {  // y is the sum of the powers below 2^k
      kernel::matmul(device, power, power, {}, 1, 0, square);
      Tensor next = device.empty(shape, in.dtype());
      device.copy(y, next);
      kernel::matmul(device, square, y, {}, 1, 1, next);
      y = next;
      power = square;
      square = device.empty(shape, in.dtype());
    }
    return y;
  }
  Grads<1> backward(Device& device, const Tensor& dy, std::array<bool, 1>) const {
    Tensor half = device.empty(y.shape(), y.dtype()), da = device.empty(y.shape(), y.dtype());
    kernel::matmul(device, y, device.dense(dy), {.a = true, .b = false}, 1, 0, half);
    kernel::matmul(device, half, y, {.a = false, .b = true}, 1, 0, da);
    return {da};
  }

  /// out = a + I
  static void add_identity(Device& device, const Tensor& a, Tensor& out) {
    Tensor one(a.shape(), a.dtype());
    visit_float(a.dtype(), [&]<class T>() {
      for (std::int64_t i = 0; i < a.dim(0); ++i) one.raw<T>()[i * (a.dim(0) + 1)] = T(1);
    });
    add_tensors(device, a, device.upload(one), out);
  }
};

Tensor row_numbers(std::int64_t n) {
  Tensor rows = Tensor::empty({n}, DType::i64);
  for (std::int64_t i = 0; i < n; ++i) rows.raw<std::int64_t>()[i] = i;
  return rows;
}

/// F of the points.   [p, d] -> [p, p]
Var diffused(const Var& points, double alpha) {
  const std::int64_t p = points.dim(0);
  const Var near = exp(2.0 * relu(self_product(unit_rows(points))));
  const Var s = apply_to_own(OwnFill{0}, near, row_numbers(p));
  const Var scale = power(sum(s, 1, true), -0.5);
  const Var spread = s * matmul(scale, scale, {.a = false, .b = true});
  return (1 - alpha) * neumann_inverse(alpha * spread, alpha);
}

/// Mean over rows of log(1 + sum over m != m_i with v >= 0 of exp(v)), v = a_im - a_im_i + margin.
Var term(const Var& a, const Tensor& meta, double margin) {
  const std::int64_t n = a.dim(0);
  const Var own = gather(a, 1, meta.reshape({n, 1}));
  const Var v = without_own(a - broadcast_to(own, a.shape()) + margin, meta);
  return mean(softplus(logsumexp(keep_above(v, 0))));
}

/// Proxies for n samples in random order: each once before any twice, the rest uniform.
std::vector<std::int64_t> random_meta_classes(std::int64_t n, std::int64_t k, Random random) {
  RandomSequence draw(random);
  std::vector<std::int64_t> proxies(static_cast<std::size_t>(k)), meta;
  std::iota(proxies.begin(), proxies.end(), 0);
  draw.shuffle(proxies);
  for (std::int64_t i = 0; i < n; ++i)
    meta.push_back(i < k ? proxies[static_cast<std::size_t>(i)]
                         : static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(k))));
  draw.shuffle(meta);
  return meta;
}

/// manifold_loss with proxies drawn for the samples of every batch.
class Manifold final : public CommonLoss {
 public:
  struct Options : CommonOptions {
    Options() : CommonOptions("mean") {}
    std::int64_t K = 50;
    double lambdaC = 1;
    double alpha = 0.8;
    double margin = 5e-4;
    double lr_scale = 1;
    static constexpr auto fields = CommonOptions::with(
        field("K", &Options::K, "how many proxies there are", {1, 1000000}),
        field("lambdaC", &Options::lambdaC,
              "weight of the context term; inf: the context term alone",
              {0, std::numeric_limits<double>::infinity()}),
        field("alpha", &Options::alpha, "how far similarity spreads", {0, 0.9999}),
        field("margin", &Options::margin, "by which the own proxy should be nearer", {-4, 4}),
        field("lr_scale", &Options::lr_scale,
              "the proxies learn at this multiple of the net's rate", {0, 1e9}));
  };

  Manifold(const Options& options, const Setup& setup)
      : CommonLoss(options),
        terms_{options.lambdaC, options.alpha, options.margin},
        proxies_(setup.scope.parameter("proxies", {options.K, setup.dim}, init::normal(1))) {
    proxies_.lr_scale = options.lr_scale;
  }

 protected:
  Var compute(const Batch& batch) override {
    if (batch.tuples != nullptr || batch.reference.defined())
      throw UsageError("manifold takes neither pairs nor a reference set");
    const Var& x = batch.embedding;
    const auto meta = random_meta_classes(x.dim(0), proxies_.value.dim(0), batch.random);
    return manifold_loss(x, x.leaf(proxies_), meta, terms_);
  }

 private:
  ManifoldTerms terms_;
  Parameter& proxies_;
};

const Register<Loss, Manifold> manifold_loss{{
    .name = "manifold",
    .summary = "similarity diffused over the batch draws every sample to a randomly chosen proxy",
    .paper = "Aziere and Todorovic, Ensemble Deep Manifold Similarity Learning Using Hard Proxies, "
             "CVPR 2019",
    .details = "uses no labels. Every proxy is chosen at least once; with fewer samples than "
               "proxies every sample has one of its own. Use it without labels, or where images of "
               "a class lie on a curved manifold.",
}};

}  // namespace

Var neumann_inverse(const Var& a, double radius) {
  DML_CHECK(a.rank() == 2 && a.dim(0) == a.dim(1),
            "neumann_inverse: " + to_string(a.shape()) + " is not square");
  // radius^(2^steps) < 1e-17
  const double terms = radius > 0 ? std::log(1e-17) / std::log(radius) : 1;
  return apply(NeumannInverse{1 + static_cast<int>(std::ceil(std::log2(std::max(terms, 1.0))))}, a);
}

Var manifold_loss(const Var& x, const Var& proxies, std::span<const std::int64_t> meta,
                  const ManifoldTerms& terms) {
  const std::int64_t n = x.dim(0), k = proxies.dim(0);
  const Tensor own = Tensor::of<std::int64_t>({n}, meta);
  const Var f = diffused(concat({x, proxies}, 0), terms.alpha);
  const Var rows = slice(f, 0, 0, n);
  const auto intrinsic = [&] { return term(slice(rows, 1, n, n + k), own, terms.margin); };
  const auto context = [&] {
    const Var cosines =
        matmul(unit_rows(rows), unit_rows(slice(f, 0, n, n + k)), {.a = false, .b = true});
    return term(cosines, own, terms.margin);
  };
  if (std::isinf(terms.lambda_c)) return context();
  if (terms.lambda_c == 0) return intrinsic();
  return intrinsic() + terms.lambda_c * context();
}

}  // namespace dml
