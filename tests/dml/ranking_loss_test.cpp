#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "dml/loss.hpp"
#include "dml/miner.hpp"
#include "engine/parameter.hpp"

namespace dml {
namespace {

constexpr std::int64_t dim = 6;

Tensor normal(std::int64_t rows, std::uint64_t seed, DType type) {
  Tensor x = Tensor::empty({rows, dim}, type);
  init::normal(1)(x, Random(seed, Purpose::weights));
  return x;
}

struct Result {
  double loss;
  Tensor gradient;
};

Result run(const std::string& name, const Settings& settings, const Tensor& x,
           const std::vector<std::int64_t>& of, Device& device) {
  ParameterStore store(device, x.dtype());
  const auto loss =
      Registry<Loss>::make(name, settings, {.scope = Scope(store) / "loss", .dim = dim});
  const auto tape = Tape::train(device);
  const Var z = tape->variable(device.upload(x));
  const Labels labels(of);
  const Var y = (*loss)({.embedding = z, .features = z, .labels = labels});
  tape->backward(y);
  const Tensor gradient = tape->gradient(z);
  return {y.value().item(), gradient.to_host().to(DType::f64)};
}

bool finite(const Tensor& x) {
  for (const double v : x.data<double>())
    if (!std::isfinite(v)) return false;
  return true;
}

const std::vector<std::string> ranking{"fast_ap", "smooth_ap", "pnp", "histogram"};

/// Rows that numbers go wrong with.
Tensor hostile(int kind, std::int64_t rows, DType type) {
  Tensor x = normal(rows, 5, type);
  visit_float(type, [&]<class T>() {
    T* v = x.raw<T>();
    for (std::int64_t i = 0; i < x.size(); ++i) {
      if (kind == 1) v[i] = v[i % dim];                       // duplicates
      if (kind == 2) v[i] = v[i % dim] * T(i / dim + 1);      // collinear
      if (kind == 3) v[i] = T(0);                             // zero
      if (kind == 4) v[i] *= T(1e15);                         // huge
      if (kind == 5) v[i] *= T(1e-15);                        // tiny
      if (kind == 6 && i / dim % 2 == 1) v[i] = -v[i - dim];  // opposite
    }
  });
  return x;
}

TEST_CASE("ranking losses: finite values and gradients for whatever is finite") {
  for (const DType type : {DType::f32, DType::f64})
    for (const Backend backend : {Backend::reference, Backend::cpu}) {
      Device device(backend, 2);
      for (const std::string& name : ranking)
        for (int kind = 0; kind < 7; ++kind)
          for (const int classes : {1, 3, 9}) {
            CAPTURE(name);
            CAPTURE(kind);
            CAPTURE(classes);
            std::vector<std::int64_t> of(9);
            for (std::size_t i = 0; i < of.size(); ++i)
              of[i] = static_cast<std::int64_t>(i) % classes;
            const Result result = run(name, {}, hostile(kind, 9, type), of, device);
            CHECK(std::isfinite(result.loss));
            CHECK(finite(result.gradient));
          }
      // Nothing to be learnt: exactly 0.
      for (const std::string& name : ranking) {
        const Result alone = run(name, {}, normal(1, 6, type), {4}, device);
        const Result distinct = run(name, {}, normal(4, 6, type), {1, 2, 3, 4}, device);
        CHECK(alone.loss == 0);
        CHECK(distinct.loss == 0);
        for (const double v : distinct.gradient.data<double>()) CHECK(v == 0);
      }
    }
}

TEST_CASE("ranking losses: the gradient agrees with differences") {
  Device device(Backend::reference);
  const std::vector<std::int64_t> of{0, 1, 0, 2, 1, 0, 2, 3};
  const Tensor x = normal(8, 7, DType::f64);
  const std::vector<std::pair<std::string, Settings>> cases{
      {"smooth_ap", {{"temperature", "0.1"}}},
      {"smooth_ap", {{"temperature", "0.1"}, {"reducer", "threshold"}, {"reducer.low", "0.3"}}},
      {"pnp", {{"variant", "Dq"}, {"alpha", "8"}, {"anneal", "0.1"}}},
      {"pnp", {{"variant", "Iu"}, {"anneal", "0.1"}}},
      {"fast_ap", {{"num_bins", "7"}}},
      {"fast_ap", {{"distance.power", "1"}, {"miner", "multi_similarity"}}},
      {"histogram", {{"n_bins", "9"}}},
      {"multiple_negatives_ranking", {}},
      {"snr_triplet", {}},
      {"xbm_contrastive", {{"margin", "0.1"}}},
  };
  for (const auto& [name, settings] : cases) {
    const std::string called = name;  // clang 14 captures no part of a binding
    CAPTURE(called);
    const Result at = run(name, settings, x, of, device);
    CHECK(at.loss > 0);
    for (std::int64_t i = 0; i < x.size(); i += 5) {
      Tensor up = x.clone(), down = x.clone();
      up.raw<double>()[i] += 1e-6;
      down.raw<double>()[i] -= 1e-6;
      const double slope =
          (run(name, settings, up, of, device).loss - run(name, settings, down, of, device).loss) /
          2e-6;
      CHECK(at.gradient.raw<double>()[i] == doctest::Approx(slope).epsilon(1e-5));
    }
  }
}

TEST_CASE("a loss with a miner is the loss on its tuples") {
  Device device(Backend::reference);
  const std::vector<std::int64_t> of{0, 1, 0, 2, 1, 0, 2, 3};
  const Labels labels(of);
  const Tensor x = normal(8, 8, DType::f64);
  const auto miner = Registry<Miner>::make("triplet_margin", {{"type_of_triplets", "hard"}}, {});
  const Tuples tuples = (*miner)(device, {.embedding = x, .labels = labels});
  for (const std::string name : {"triplet_margin", "contrastive"}) {
    ParameterStore store(device, DType::f64);
    const Loss::Setup setup{.scope = Scope(store) / "loss", .dim = dim};
    const auto plain = Registry<Loss>::make(name, {}, setup);
    const auto mined = Registry<Loss>::make(
        name, {{"miner", "triplet_margin"}, {"miner.type_of_triplets", "hard"}}, setup);
    const auto tape = Tape::infer(device);
    const Var z = tape->input(x);
    const std::int64_t reads = device.host_reads();
    const Var a = (*mined)({.embedding = z, .features = z, .labels = labels});
    CHECK(device.host_reads() == reads);
    const Var b = (*plain)({.embedding = z, .features = z, .labels = labels, .tuples = &tuples});
    const Var all = (*plain)({.embedding = z, .features = z, .labels = labels});
    CHECK(a.value().item() == b.value().item());
    CHECK(a.value().item() != all.value().item());
  }
}

TEST_CASE("distance_weighted: negatives are drawn with the stated probabilities") {
  Device device(Backend::cpu, 2);
  const Labels labels({0, 0, 1, 1, 2, 2});
  const Tensor x = normal(6, 9, DType::f32);
  const auto miner = Registry<Miner>::make("distance_weighted", {{"nonzero_loss_cutoff", "2"}}, {});
  // With replacement, so that a few thousand steps give the frequencies.
  std::vector<double> drawn(36, 0);
  double total = 0;
  for (std::uint64_t step = 0; step < 4000; ++step) {
    const Tuples list = (*miner)(
        device, {.embedding = x, .labels = labels, .random = Random(1, Purpose::mine, 0, step)});
    for (std::int64_t t = 0; t < *list.count.raw<std::int64_t>(); ++t) {
      if (list.anchor.raw<std::int64_t>()[t] != 0) continue;
      drawn[static_cast<std::size_t>(list.negative.raw<std::int64_t>()[t])] += 1;
      total += 1;
    }
  }
  CHECK(total == 8000);
  double expected_total = 0;
  std::vector<double> weight(6, 0);
  for (std::int64_t j = 2; j < 6; ++j) {
    double dot = 0, a = 0, b = 0;
    for (std::int64_t k = 0; k < dim; ++k) {
      const double u = static_cast<double>(x.raw<float>()[k]),
                   v = static_cast<double>(x.raw<float>()[j * dim + k]);
      dot += u * v;
      a += u * u;
      b += v * v;
    }
    const double d = std::max(0.5, std::sqrt(2 - 2 * dot / std::sqrt(a * b)));
    weight[static_cast<std::size_t>(j)] =
        std::pow(d, 2.0 - dim) * std::pow(1 - d * d / 4, -(dim - 3) / 2.0);
    expected_total += weight[static_cast<std::size_t>(j)];
  }
  for (std::size_t j = 0; j < 6; ++j) {
    const double p = weight[j] / expected_total;
    // Five standard deviations of a binomial count.
    CHECK(std::abs(drawn[j] / total - p) <= 5 * std::sqrt(p * (1 - p) / total));
  }
}

TEST_CASE("cross-batch memory: a run that was interrupted goes on with its memory") {
  Device device(Backend::reference);
  const Settings settings{{"memory_size", "5"}, {"inner", "nt_xent"}};
  const Labels labels({0, 1, 0});
  const auto step = [&](Loss& loss, std::uint64_t seed) {
    const auto tape = Tape::infer(device);
    const Var z = tape->input(normal(3, seed, DType::f64));
    return loss({.embedding = z, .features = z, .labels = labels}).value().item();
  };
  const auto make = [&](ParameterStore& store) {
    return Registry<Loss>::make("cross_batch_memory", settings,
                                {.scope = Scope(store) / "loss", .dim = dim});
  };
  ParameterStore whole(device, DType::f64), resumed(device, DType::f64);
  const auto first = make(whole);
  step(*first, 1);
  step(*first, 2);
  const auto second = make(resumed);
  for (const Parameter& parameter : whole.all())
    resumed.find(parameter.name)->from_file(parameter.to_file().clone(), device);
  for (const std::uint64_t seed : {3, 4}) CHECK(step(*second, seed) == step(*first, seed));
  CHECK_THROWS_AS(Registry<Loss>::make("cross_batch_memory", {{"inner", "fast_ap"}},
                                       {.scope = Scope(whole) / "other", .dim = dim}),
                  UsageError);
}

}  // namespace
}  // namespace dml
