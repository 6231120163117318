#include <doctest/doctest.h>

#include <cmath>

#include "dml/lm_metric/system.hpp"
#include "dml/optimizer.hpp"

namespace dml {
namespace {

constexpr std::int64_t features = 6, classes = 3, n = 6;
const std::vector<std::int64_t> of{0, 1, 0, 2, 1, 0};

lm::SystemOptions small(const std::string& criterion) {
  lm::SystemOptions options;
  options.head = {.dim = 64, .actions = 4, .flow = {.levels = 2, .steps = 1, .channels = 3}};
  options.criterion = criterion;
  return options;
}

Tensor normal(const Shape& shape, std::uint64_t seed, DType type = DType::f64) {
  Tensor x = Tensor::empty(shape, type);
  init::normal(1)(x, Random(seed, Purpose::weights));
  return x;
}

/// A system on a device, with one pass behind it, so that the flow has seen a batch.
struct Made {
  explicit Made(Device& on, const lm::SystemOptions& options, DType type = DType::f64)
      : device(on),
        store(on, type, 3),
        system({.scope = Scope(store) / "loss",
                .dim = features,
                .features = features,
                .classes = classes},
               options) {
    // A new coupling is the identity; the checks want one that is not.
    for (Parameter& one : store.all())
      if (one.name.find("out_conv") != std::string::npos)
        init::normal(0.3)(one.value, Random(5, Purpose::weights));
  }

  lm::SystemTerms terms(const Var& x, std::uint64_t step = 0) {
    const Labels labels(of, classes);
    return system(
        {.embedding = x, .features = x, .labels = labels, .random = {1, Purpose::mine, step}}, {});
  }
  double loss(const Tensor& x) { return terms(Tape::train(device)->input(x)).loss.value().item(); }

  Device& device;
  ParameterStore store;
  lm::System system;
};

TEST_CASE(
    "lm_metric: gradients of features and of what the criterion learns agree with differences") {
  Device device(Backend::reference);
  for (const std::string criterion : {"smoothap", "margin", "proxyanchor", "softmax"}) {
    CAPTURE(criterion);
    lm::SystemOptions options = small(criterion);
    options.nll_weight = 0;  // what it reads is detached: differences would see it
    options.tau = 0.1;
    options.beta_constant = false;
    options.margin.nu = 0.1;
    Made made(device, options);
    const Tensor x = normal({n, features}, 2);
    made.loss(x);
    const auto tape = Tape::train(device);
    const Var v = tape->variable(x);
    tape->backward(made.terms(v).loss);
    const Tensor gradient = tape->gradient(v);
    for (std::int64_t i = 0; i < x.size(); i += 5) {
      Tensor up = x.clone(), down = x.clone();
      up.raw<double>()[i] += 1e-5;
      down.raw<double>()[i] -= 1e-5;
      CHECK(gradient.raw<double>()[i] ==
            doctest::Approx((made.loss(up) - made.loss(down)) / 2e-5).epsilon(1e-5));
    }
    for (Parameter& one : made.store.all()) {
      if (one.name.find("criterion") == std::string::npos) continue;
      for (std::int64_t i = 0; i < one.value.size(); i += 37) {
        double& value = one.value.raw<double>()[i];
        const double kept = value;
        value = kept + 1e-5;
        const double above = made.loss(x);
        value = kept - 1e-5;
        const double below = made.loss(x);
        value = kept;
        CHECK(one.grad.raw<double>()[i] == doctest::Approx((above - below) / 2e-5).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("lm_metric: gradients of the flow agree with differences, in both directions") {
  Device device(Backend::reference);
  Made made(device, small("smoothap"));
  const Tensor x = normal({n, features}, 2);
  made.loss(x);
  const auto tape = Tape::train(device);
  tape->backward(made.terms(tape->input(x)).loss);
  for (Parameter& one : made.store.all()) {
    if (one.is_buffer || one.name.find("gflow") == std::string::npos) continue;
    CAPTURE(one.name);
    REQUIRE(one.grad.defined());
    double& value = one.value.raw<double>()[one.value.size() / 2];
    const double kept = value;
    value = kept + 1e-6;
    const double above = made.loss(x);
    value = kept - 1e-6;
    const double below = made.loss(x);
    value = kept;
    CHECK(one.grad.raw<double>()[one.value.size() / 2] ==
          doctest::Approx((above - below) / 2e-6).epsilon(1e-4).scale(1));
  }
}

TEST_CASE("lm_metric: a step is a pure function of its random stream") {
  Device device(Backend::cpu, 2);
  for (const std::string criterion : {"smoothap", "margin"}) {
    Made a(device, small(criterion), DType::f32), b(device, small(criterion), DType::f32);
    const Tensor x = normal({n, features}, 4, DType::f32);
    const auto tape = Tape::train(device);
    for (std::uint64_t step = 0; step < 3; ++step)
      CHECK(a.terms(tape->input(x), step).loss.value().item() ==
            b.terms(tape->input(x), step).loss.value().item());
    CHECK(a.terms(tape->input(x), 3).loss.value().item() !=
          b.terms(tape->input(x), 4).loss.value().item());
  }
}

TEST_CASE("lm_metric: a step against the gradient lowers the loss") {
  Device device(Backend::cpu, 2);
  for (const std::string criterion : {"smoothap", "margin", "proxyanchor", "softmax", "group"}) {
    CAPTURE(criterion);
    Made made(device, small(criterion), DType::f32);
    const Tensor x = normal({n, features}, 4, DType::f32);
    made.loss(x);
    const auto tape = Tape::train(device);
    const Var loss = made.terms(tape->input(x)).loss;
    tape->backward(loss);
    Registry<Optimizer>::make("adam", {{"lr", "0.0003"}}, {made.store})->step(device, 1);
    CHECK(made.loss(x) < loss.value().item());
  }
}

TEST_CASE("lm_metric: the published form leaves the policy as it is") {
  Device device(Backend::reference);
  for (const double weight : {0.0, 1.0}) {
    lm::SystemOptions options = small("smoothap");
    options.policy_weight = weight;
    Made made(device, options);
    const auto tape = Tape::train(device);
    const lm::SystemTerms terms = made.terms(tape->input(normal({n, features}, 2)));
    CHECK(terms.policy.defined() == (weight != 0));
    tape->backward(terms.loss);
    CHECK(made.store.find("loss.decision_fcsp.weight")->grad.defined() == (weight != 0));
    CHECK_FALSE(made.store.find("loss.decision_fcsn.weight")->grad.defined());
    CHECK(made.store.find("loss.mapping.weight")->grad.defined());
  }
}

TEST_CASE("lm_metric: baselines of the reward") {
  Device device(Backend::reference);
  const Tensor x = normal({n, features}, 2);
  const auto policy = [&](const std::string& baseline, std::int64_t steps) {
    lm::SystemOptions options = small("smoothap");
    options.policy_baseline = baseline;
    options.baseline_decay = 0.5;
    Made made(device, options);
    lm::SystemTerms terms;
    for (std::int64_t i = 0; i < steps; ++i) terms = made.terms(Tape::train(device)->input(x));
    const Tensor log_prob = terms.head.positive.log_prob.value(), reward = terms.reward.value();
    double mean = 0, expected = 0;
    for (const double r : reward.data<double>()) mean += r / n;
    const double taken_off = baseline == "none" ? 0 : baseline == "ema" ? mean / 2 : mean;
    for (std::int64_t i = 0; i < n; ++i)
      expected -= log_prob.raw<double>()[i] * (reward.raw<double>()[i] - taken_off) / n;
    CHECK(terms.policy.value().item() == doctest::Approx(expected).epsilon(1e-9));
  };
  policy("none", 1);
  policy("batch_mean", 1);
  policy("ema", 2);  // the second step sees half of the first one's mean
}

std::unique_ptr<Loss> make(ParameterStore& store, Settings settings) {
  for (const auto& [key, value] :
       Settings{{"dim", "64"}, {"flow_steps", "1"}, {"flow_channels", "3"}})
    settings.emplace(key, value);
  return Registry<Loss>::make(
      "lm_metric", settings,
      {.scope = Scope(store) / "loss", .dim = features, .features = features, .classes = classes});
}

TEST_CASE("lm_metric: retrieval does not depend on how a set is cut into batches") {
  Device device(Backend::reference);
  const Tensor x = normal({n, features}, 2);
  for (const char* sigma : {"0.6", "0"}) {
    ParameterStore store(device, DType::f64);
    const auto loss = make(store, {{"eval_sigma", sigma}});
    const auto embed = [&](std::int64_t first, std::int64_t last) {
      return loss->embed(Tape::infer(device, first)->input(x.rows(first, last))).value();
    };
    const Tensor all = embed(0, n);
    CHECK(all.shape() == Shape{n, 64});
    for (const auto& [first, last] : {std::pair{0, 1}, {1, 4}, {4, 6}}) {
      const Tensor part = embed(first, last);
      for (std::int64_t i = 0; i < part.size(); ++i)
        CHECK(part.raw<double>()[i] ==
              doctest::Approx(all.raw<double>()[first * 64 + i]).epsilon(1e-12));
    }
    double square = 0;
    for (std::int64_t k = 0; k < 64; ++k) square += std::pow(all.raw<double>()[k], 2);
    CHECK(square == doctest::Approx(1));
  }
}

TEST_CASE("lm_metric: degenerate batches give finite numbers") {
  Device device(Backend::cpu, 1);
  for (const std::string criterion : {"smoothap", "margin", "proxyanchor", "softmax", "group"}) {
    for (const double size : {0.0, 1e-20, 1.0, 1e4}) {
      for (const auto& labels :
           {std::vector<std::int64_t>{0, 0, 0, 0}, {0, 1, 2, 0}, {1}, {2, 2}}) {
        CAPTURE(criterion);
        CAPTURE(size);
        CAPTURE(labels.size());
        if (criterion == "group" && labels.size() < 4) continue;
        lm::SystemOptions options = small(criterion);
        Made made(device, options, DType::f32);
        const auto count = static_cast<std::int64_t>(labels.size());
        Tensor x({count, features}, DType::f32);  // all rows alike
        for (float& value : x.data<float>()) value = static_cast<float>(size);
        const auto tape = Tape::train(device);
        const Var v = tape->variable(x);
        const Labels these(labels, classes);
        const lm::SystemTerms terms =
            made.system({.embedding = v, .features = v, .labels = these}, {});
        CHECK(std::isfinite(terms.loss.value().item()));
        tape->backward(terms.loss);
        for (const float value : tape->gradient(v).data<float>()) CHECK(std::isfinite(value));
        for (const Parameter& one : made.store.all())
          if (one.grad.defined())
            for (const float value : one.grad.data<float>()) REQUIRE(std::isfinite(value));
      }
    }
  }
}

TEST_CASE("lm_metric: a batch of one class has no triplets and costs nothing") {
  Device device(Backend::reference);
  const auto tape = Tape::train(device);
  const Var v = tape->variable(normal({4, 64}, 1));
  const Labels labels({1, 1, 1, 1}, classes);
  const revisiting::Triplets mined = lm::distance_triplets(v, labels, {1, Purpose::mine}, true);
  for (const double counted : mined.counted.data<double>()) CHECK(counted == 0);
  const Var beta = tape->input(Tensor({4}, DType::f64));
  const Var loss = revisiting::margin(v, mined, beta);
  CHECK(loss.value().item() == 0);
  // Of a lone class every row is its own positive.
  const revisiting::Triplets alone =
      lm::distance_triplets(v, Labels({0, 1, 2, 1}, classes), {1, Purpose::mine}, true);
  CHECK(alone.positive.raw<std::int64_t>()[0] == 0);
  CHECK(alone.positive.raw<std::int64_t>()[1] == 3);
  CHECK(alone.positive.raw<std::int64_t>()[2] == 2);
}

TEST_CASE("lm_metric: says what cannot be") {
  Device device(Backend::cpu, 1);
  ParameterStore store(device);
  CHECK_THROWS_WITH_AS(make(store, {{"dim", "100"}}), doctest::Contains("a multiple of 64"),
                       UsageError);
  ParameterStore other(device);
  CHECK_THROWS_WITH_AS(
      Registry<Loss>::make(
          "lm_metric", {},
          {.scope = Scope(other), .dim = 512, .features = 2048, .classes = classes}),
      doctest::Contains("head.dim=0"), UsageError);
  ParameterStore third(device);
  CHECK_THROWS_WITH_AS(make(third, {{"criterion", "smothap"}}), doctest::Contains("no loss named"),
                       UsageError);
}

}  // namespace
}  // namespace dml
