#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <set>

#include "dml/loss.hpp"
#include "ops/arithmetic.hpp"

namespace dml {
namespace {

constexpr std::int64_t dim = 6;

/// Embeddings with their labels.
struct Example {
  std::string name;
  Tensor x;  // f64
  std::vector<std::int64_t> labels;
  bool learnable = false;  // whether there are positive and negative pairs at random places
};

Tensor normal(std::int64_t n, std::uint64_t seed) {
  Tensor x = Tensor::empty({n, dim}, DType::f64);
  init::normal(1)(x, Random(seed, Purpose::weights));
  return x;
}

Tensor changed(Tensor x, const std::function<double(std::int64_t row, double value)>& change) {
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.raw<double>()[i] = change(i / dim, x.raw<double>()[i]);
  return x;
}

/// Row i becomes row `of`, times a factor.
void copy_row(Tensor& x, std::int64_t i, std::int64_t of, double factor = 1) {
  for (std::int64_t k = 0; k < dim; ++k)
    x.raw<double>()[i * dim + k] = factor * x.raw<double>()[of * dim + k];
}

std::vector<Example> examples() {
  const std::vector<std::int64_t> three{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2};
  std::vector<Example> all;
  all.push_back({"random", normal(12, 1), three, true});
  Tensor duplicates = normal(12, 2);
  copy_row(duplicates, 3, 0);
  copy_row(duplicates, 7, 0);
  all.push_back({"duplicates of both kinds", duplicates, three});
  Tensor collinear = normal(12, 3);
  for (std::int64_t i = 1; i < 12; ++i) copy_row(collinear, i, 0, i % 2 == 0 ? 1.5 : -0.5);
  all.push_back({"collinear", collinear, three});
  all.push_back({"all equal", changed(normal(12, 4), [](auto, double) { return 0.5; }), three});
  all.push_back({"all zero", changed(normal(12, 4), [](auto, double) { return 0.0; }), three});
  all.push_back({"some rows zero",
                 changed(normal(12, 5), [](auto row, double v) { return row < 4 ? 0.0 : v; }),
                 three});
  all.push_back({"huge", changed(normal(12, 6), [](auto, double v) { return v * 1e18; }), three});
  all.push_back({"large", changed(normal(12, 6), [](auto, double v) { return v * 1e8; }), three});
  all.push_back({"tiny", changed(normal(12, 7), [](auto, double v) { return v * 1e-30; }), three});
  Tensor near = normal(12, 8);
  copy_row(near, 3, 0, 1 + 1e-7);
  copy_row(near, 4, 0, 1 - 1e-7);
  near.raw<double>()[3 * dim] += 1e-7;
  all.push_back({"nearly equal", near, three});
  all.push_back({"a batch of one", normal(1, 9), {1}});
  all.push_back({"two of one class", normal(2, 10), {1, 1}});
  all.push_back({"two of two classes", normal(2, 11), {0, 1}});
  all.push_back({"one class", normal(6, 12), {2, 2, 2, 2, 2, 2}});
  all.push_back({"all distinct", normal(6, 13), {0, 1, 2, 3, 4, 5}});
  return all;
}

constexpr std::int64_t classes = 6;

/// Losses that take two views of the same images.
bool two_views(const std::string& loss) { return loss == "self_supervised" || loss == "vicreg"; }

/// What keeps a loss small enough for so many batches.
Settings small(const std::string& loss) {
  if (loss != "lm_metric") return {};
  return {{"dim", "64"}, {"flow_steps", "1"}, {"flow_channels", "4"}};
}

/// A loss with an embedding that is a parameter.
struct Bench {
  std::string name;
  Device device;
  ParameterStore store;
  Parameter& z;
  std::unique_ptr<Loss> loss;

  Bench(const std::string& loss_name, const Example& one, DType type)
      : name(loss_name),
        device(Backend::cpu, 2),
        store(device, type),
        z(store.add("z", one.x.shape(), init::zeros())),
        loss(Registry<Loss>::make(name, small(name),
                                  {.scope = Scope(store) / "loss",
                                   .dim = dim,
                                   .features = dim,
                                   .classes = classes,
                                   .epochs = 1})) {
    z.value = one.x.to(type);
  }

  double value(const Labels& labels, bool backward) {
    const auto tape = Tape::train(device);  // with the same random numbers every time
    const Var x = tape->leaf(z);
    const bool views = two_views(name);
    const Var y = (*loss)({.embedding = x,
                           .features = x,
                           .neck = x,
                           .labels = labels,
                           .reference = views ? 2.0 * x : Var{},
                           .reference_labels = views ? &labels : nullptr});
    const double result = y.value().item();
    if (backward) tape->backward(y);
    return result;
  }
};

bool finite(const Tensor& x) {
  const Tensor all = x.to(DType::f64);
  for (const double value : all.data<double>())
    if (!std::isfinite(value)) return false;
  return true;
}

double largest(const Tensor& x) {
  double most = 0;
  const Tensor all = x.to(DType::f64);
  for (const double value : all.data<double>()) most = std::max(most, std::abs(value));
  return most;
}

/// Whether the loss is defined for the batch.
bool covers(const std::string& loss, const Example& one, DType type) {
  // The correlation of rows without variance does not exist: the Group Loss says so with a NaN.
  if (loss == "group") return one.learnable;
  // Fourth powers of lengths and 40 times squares are beyond f32, where rows are not normalised.
  const bool raw = loss == "vicreg" || loss == "revisiting_multisimilarity";
  return !(raw && one.name == "huge" && type == DType::f32);
}

/// Whether the loss refuses the batch, saying so: the statistics of one image do not exist.
bool refuses(const std::string& loss, const Example& one) {
  static const std::set<std::string> need_statistics{"intra_batch", "vicreg"};
  return one.name == "a batch of one" && need_statistics.contains(loss);
}

TEST_CASE("losses: finite values and gradients for whatever finite embeddings") {
  for (const std::string& name : Registry<Loss>::names()) {
    for (const Example& one : examples()) {
      for (const DType type : {DType::f64, DType::f32}) {
        if (!covers(name, one, type)) continue;
        CAPTURE(name);
        CAPTURE(one.name);
        CAPTURE(std::string(name_of(type)));
        Bench bench(name, one, type);
        const Labels labels(one.labels, classes);
        if (refuses(name, one)) {
          CHECK_THROWS_AS(bench.value(labels, true), ShapeError);
          continue;
        }
        CHECK(std::isfinite(bench.value(labels, true)));
        for (const Parameter& parameter : bench.store.all()) {
          CAPTURE(parameter.name);
          if (parameter.grad.defined()) CHECK(finite(parameter.grad));
        }
      }
    }
  }
}

/// Losses on pairs or triplets that need both a positive and a negative of an anchor.
const std::vector<std::string> both_sides{
    "triplet_margin", "margin",        "circle",  "lifted_structure", "nt_xent",
    "sup_con",        "tuplet_margin", "angular", "n_pairs",          "dynamic_soft_margin"};

TEST_CASE("losses on pairs: nothing to be learnt is 0 with a gradient of 0, not a missing one") {
  for (const std::string& name : both_sides) {
    for (const Example& one : examples()) {
      const bool nothing = one.name == "a batch of one" || one.name == "two of one class" ||
                           one.name == "two of two classes" || one.name == "one class" ||
                           one.name == "all distinct";
      if (!nothing) continue;
      for (const DType type : {DType::f64, DType::f32}) {
        CAPTURE(name);
        CAPTURE(one.name);
        Bench bench(name, one, type);
        CHECK(bench.value(Labels(one.labels, classes), true) == 0);
        REQUIRE(bench.z.grad.defined());
        CHECK(largest(bench.z.grad) == 0);
      }
    }
  }
  for (const char* name : {"contrastive", "multi_similarity", "generalized_lifted_structure", "nca",
                           "intra_pair_variance", "threshold_consistent_margin", "ranked_list"}) {
    CAPTURE(name);
    const Example one{"a batch of one", normal(1, 9), {1}};
    Bench bench(name, one, DType::f64);
    CHECK(bench.value(Labels(one.labels, classes), true) == 0);
    REQUIRE(bench.z.grad.defined());
    CHECK(largest(bench.z.grad) == 0);
  }
}

TEST_CASE("losses: a small step against the gradient lowers every one") {
  for (const std::string& name : Registry<Loss>::names()) {
    CAPTURE(name);
    const Example one = examples()[0];
    Bench bench(name, one, DType::f64);
    const Labels labels(one.labels, classes);
    const double before = bench.value(labels, true);
    REQUIRE(largest(bench.z.grad) > 0);
    const double step = 1e-5 / largest(bench.z.grad);
    bench.z.value = bench.z.value.clone();
    for (std::int64_t i = 0; i < bench.z.value.size(); ++i)
      bench.z.value.raw<double>()[i] -= step * bench.z.grad.raw<double>()[i];
    CHECK(bench.value(labels, false) < before);
  }
}

TEST_CASE("losses: the number of threads does not change a bit of those on pairs") {
  for (const std::string& name : both_sides) {
    CAPTURE(name);
    Tensor x = Tensor::empty({64, 48}, DType::f32);
    init::normal(1)(x, Random(5, Purpose::weights));
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < 64; ++i) of.push_back(i % 16);
    const Labels labels(of, 16);
    std::vector<float> seen;
    for (const int threads : {1, 2}) {
      Device device(Backend::cpu, threads);
      ParameterStore store(device);
      const auto loss = Registry<Loss>::make(
          name, {},
          {.scope = Scope(store) / "loss", .dim = 48, .features = 48, .classes = 16, .epochs = 1});
      const auto tape = Tape::train(device);
      const Var z = tape->variable(x);
      const Var y = (*loss)({.embedding = z, .features = z, .labels = labels});
      tape->backward(y);
      std::vector<float> now{static_cast<float>(y.value().item())};
      const Tensor gradient = tape->gradient(z);
      now.insert(now.end(), gradient.raw<float>(), gradient.raw<float>() + gradient.size());
      if (threads == 1) seen = now;
      CHECK(now == seen);
    }
  }
}

}  // namespace
}  // namespace dml
