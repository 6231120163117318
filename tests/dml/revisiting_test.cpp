#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "dml/optimizer.hpp"
#include "dml/revisiting/mined_loss.hpp"
#include "dml/tuples.hpp"
#include "ops/l2_normalize.hpp"

namespace dml::revisiting {
namespace {

const std::vector<std::int64_t> of{0, 0, 1, 1, 1, 2, 2, 3};
constexpr std::int64_t n = 8, dim = 6, classes = 4;

Tensor normal(const Shape& shape, std::uint64_t seed, DType type = DType::f64) {
  Tensor x = Tensor::empty(shape, type);
  init::normal(0.6)(x, Random(seed, Purpose::weights));
  return x;
}

const std::vector<std::string> all_losses{
    "revisiting_contrastive", "revisiting_triplet", "revisiting_margin",
    "revisiting_quadruplet",  "revisiting_snr",     "revisiting_lifted",
    "revisiting_npair",       "revisiting_angular", "revisiting_multisimilarity",
    "revisiting_histogram"};

/// A loss by name, on embeddings of unit length.
struct Made {
  Made(Device& on, const std::string& name, const Settings& settings, DType type)
      : device(on), store(on, type) {
    loss = Registry<Loss>::make(
        name, settings,
        {.scope = Scope(store) / "loss", .dim = dim, .features = dim, .classes = classes});
  }
  Var value(const Var& x, const std::vector<std::int64_t>& labels_of = of) {
    const Labels labels(labels_of, classes);
    const Var v = l2_normalize(x);
    return (*loss)({.embedding = v, .features = v, .labels = labels, .random = {4, Purpose::mine}});
  }
  double number(const Tensor& x) { return value(Tape::train(device)->input(x)).value().item(); }

  Device& device;
  ParameterStore store;
  std::unique_ptr<Loss> loss;
};

TEST_CASE("revisiting: gradients agree with differences") {
  Device device(Backend::reference);
  for (const std::string& name : all_losses) {
    CAPTURE(name);
    const bool mined = name == "revisiting_snr" || name == "revisiting_quadruplet";
    Made made(device, name, mined ? Settings{{"miner", "random"}} : Settings{}, DType::f64);
    const Tensor x = normal({n, dim}, 3);
    const auto tape = Tape::train(device);
    const Var v = tape->variable(x);
    tape->backward(made.value(v));
    const Tensor gradient = tape->gradient(v);
    double size = 0;
    for (std::int64_t i = 0; i < x.size(); ++i) {
      Tensor up = x.clone(), down = x.clone();
      up.raw<double>()[i] += 1e-6;
      down.raw<double>()[i] -= 1e-6;
      const double slope = (made.number(up) - made.number(down)) / 2e-6;
      CHECK(gradient.raw<double>()[i] == doctest::Approx(slope).epsilon(1e-5).scale(1));
      size += std::abs(slope);
    }
    CHECK(size > 1e-3);  // a loss that is nothing would pass
  }
}

TEST_CASE("revisiting: a step against the gradient lowers every loss, with every miner") {
  Device device(Backend::cpu, 1);
  const auto check = [&](const std::string& name, const Settings& settings) {
    CAPTURE(name);
    Made made(device, name, settings, DType::f32);
    Tensor x = normal({n, dim}, 3, DType::f32);
    const auto tape = Tape::train(device);
    const Var v = tape->variable(x);
    const Var before = made.value(v);
    tape->backward(before);
    const Tensor gradient = tape->gradient(v);
    for (std::int64_t i = 0; i < x.size(); ++i)
      x.raw<float>()[i] -= 1e-4F * gradient.raw<float>()[i];
    CHECK(made.number(x) < before.value().item());
  };
  for (const std::string& name : all_losses) check(name, {});
  for (const char* miner :
       {"semihard", "softhard", "random", "rho_distance", "parametric", "random_distance"}) {
    CAPTURE(miner);
    check("revisiting_margin", {{"miner", miner}});
  }
}

TEST_CASE("revisiting: what miners draw follows their tables") {
  Device device(Backend::reference);
  const auto tape = Tape::infer(device);
  const Var v = l2_normalize(tape->input(normal({n, dim}, 3)));
  const Labels labels(of, classes);
  const Tensor weights = [&] {
    Tensor p = device.empty({n, n}, DType::f64);
    kernel::distance_weighting(device, distances(v), labels.tensor(), labels.tensor(), {.dim = dim},
                               p);
    return p;
  }();
  std::vector<double> drawn(static_cast<std::size_t>(n * n)), positives(drawn.size());
  constexpr int rounds = 4000;
  for (int round = 0; round < rounds; ++round) {
    const Triplets found =
        mine(v, labels, {7, Purpose::mine, static_cast<std::uint64_t>(round)}, {});
    for (std::int64_t i = 0; i < n; ++i) {
      REQUIRE(found.counted.raw<double>()[i] == 1);
      const std::int64_t p = found.positive.raw<std::int64_t>()[i];
      CHECK(((of[static_cast<std::size_t>(p)] == of[static_cast<std::size_t>(i)] && p != i) ||
             i == 7));
      drawn[static_cast<std::size_t>(i * n + found.negative.raw<std::int64_t>()[i])] +=
          1.0 / rounds;
      positives[static_cast<std::size_t>(i * n + p)] += 1.0 / rounds;
    }
  }
  for (std::int64_t i = 0; i < n * n; ++i)
    CHECK(std::abs(drawn[static_cast<std::size_t>(i)] - weights.raw<double>()[i]) < 0.035);
  CHECK(positives[2 * n + 3] == doctest::Approx(0.5).epsilon(0.08));
  CHECK(positives[7 * n + 7] == doctest::Approx(1));  // the lone image
}

TEST_CASE("revisiting: triplets of every miner are what their names say") {
  Device device(Backend::cpu, 1);
  const auto tape = Tape::infer(device);
  const Var v = l2_normalize(tape->input(normal({n, dim}, 3, DType::f32)));
  const Labels labels(of, classes);
  for (const std::string miner :
       {"semihard", "softhard", "rho_distance", "parametric", "random", "intra_random"}) {
    CAPTURE(miner);
    for (std::uint64_t round = 0; round < 50; ++round) {
      const Triplets found =
          mine(v, labels, {7, Purpose::mine, round}, {.miner = miner, .cp = 0.5});
      CHECK(found.anchor.size() == n);
      for (std::int64_t i = 0; i < n; ++i) {
        if (found.counted.defined() && found.counted.raw<float>()[i] == 0) {
          CHECK(i == 7);
          continue;
        }
        const std::int64_t a = found.anchor.raw<std::int64_t>()[i],
                           p = found.positive.raw<std::int64_t>()[i],
                           m = found.negative.raw<std::int64_t>()[i];
        CHECK(labels[a] == labels[p]);
        if (miner == "intra_random") {
          CHECK(labels[a] == labels[m]);
        } else if (miner == "rho_distance") {
          CHECK((labels[a] == labels[m]) == (a == p));
        } else {
          CHECK(labels[a] != labels[m]);
          CHECK(a != p);
        }
      }
    }
  }
  CHECK_THROWS_WITH_AS(mine(v, labels, {1, Purpose::mine}, {.miner = "semihart"}),
                       doctest::Contains("semihard"), UsageError);
}

TEST_CASE("revisiting: numbered triplets are all there are, once each") {
  const NumberedTriplets all(Labels(of, classes));
  CHECK(all.count() == 2 * 1 * 6 + 3 * 2 * 5 + 2 * 1 * 6);
  std::vector<std::array<std::int64_t, 3>> met;
  for (std::int64_t i = 0; i < all.count(); ++i) {
    const auto [a, p, m] = all.at(i);
    CHECK(a != p);
    CHECK(of[static_cast<std::size_t>(a)] == of[static_cast<std::size_t>(p)]);
    CHECK(of[static_cast<std::size_t>(a)] != of[static_cast<std::size_t>(m)]);
    met.push_back({a, p, m});
  }
  std::sort(met.begin(), met.end());
  CHECK(std::unique(met.begin(), met.end()) == met.end());
}

TEST_CASE("revisiting: degenerate batches give finite numbers") {
  Device device(Backend::cpu, 1);
  const std::vector<std::vector<std::int64_t>> batches{
      {0, 0, 0, 0}, {0, 1, 2, 3}, {1}, {2, 2}, {0, 1, 1, 0}};
  std::vector<std::pair<std::string, Settings>> cases;
  for (const std::string& name : all_losses) cases.emplace_back(name, Settings{});
  for (const char* miner : {"semihard", "softhard", "random", "rho_distance", "parametric",
                            "random_distance", "intra_random"})
    cases.emplace_back("revisiting_snr", Settings{{"miner", miner}});
  for (const auto& [name, settings] : cases)
    for (const auto& labels : batches)
      for (const double size : {0.0, 1e-20, 1.0, 1e15}) {
        const std::string called = name;  // clang 14 captures no part of a binding
        CAPTURE(called);
        CAPTURE(labels.size());
        CAPTURE(size);
        Made made(device, name, settings, DType::f32);
        Tensor x({std::ssize(labels), dim}, DType::f32);  // all rows alike
        for (std::int64_t i = 0; i < x.size(); ++i)
          x.raw<float>()[i] = static_cast<float>(size * static_cast<double>(1 + i % dim));
        const auto tape = Tape::train(device);
        const Var v = tape->variable(x);
        const Var loss = made.value(v, labels);
        CHECK(std::isfinite(loss.value().item()));
        if (!loss.needs_grad()) continue;
        tape->backward(loss);
        const Tensor gradient = tape->gradient(v);
        if (!gradient.defined()) continue;
        for (const float value : gradient.data<float>()) REQUIRE(std::isfinite(value));
      }
}

TEST_CASE("revisiting: an explicit list of triplets is what counts") {
  Device device(Backend::reference);
  Made made(device, "revisiting_triplet", {}, DType::f64);
  const auto tape = Tape::infer(device);
  const Var v = tape->input(normal({n, dim}, 3));
  const Labels labels(of, classes);
  const Triplets list{Tensor::of<std::int64_t>({2}, {0, 2}), Tensor::of<std::int64_t>({2}, {1, 3}),
                      Tensor::of<std::int64_t>({2}, {5, 6})};
  Tuples tuples;
  tuples.form = Tuples::Form::triplets;
  tuples.anchor = list.anchor, tuples.positive = list.positive, tuples.negative = list.negative;
  const auto value = [&] {
    return (*made.loss)({.embedding = v, .features = v, .labels = labels, .tuples = &tuples})
        .value()
        .item();
  };
  CHECK(value() == doctest::Approx(triplet(v, list).value().item()));
  tuples.count = Tensor::of<std::int64_t>({}, {1});
  const Triplets first{list.anchor.rows(0, 1), list.positive.rows(0, 1), list.negative.rows(0, 1)};
  CHECK(value() == doctest::Approx(triplet(v, first).value().item()));
  tuples.form = Tuples::Form::pairs;
  CHECK_THROWS_WITH_AS(value(), doctest::Contains("list of triplets"), ShapeError);
}

}  // namespace
}  // namespace dml::revisiting
