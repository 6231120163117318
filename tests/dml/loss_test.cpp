#include "dml/loss.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "dml/group_loss/anchors.hpp"
#include "dml/group_loss/group_loss.hpp"
#include "dml/group_loss/pearson.hpp"
#include "dml/optimizer.hpp"
#include "dml/retrieval/evaluator.hpp"
#include "ops/relu.hpp"

namespace dml {
namespace {

constexpr std::int64_t classes = 4, images = 5, dim = 8;

Tensor normal(const Shape& shape, std::uint64_t seed, DType type) {
  Tensor x = Tensor::empty(shape, type);
  init::normal(1)(x, Random(seed, Purpose::weights));
  return x;
}

/// A batch of every class, each image of class c beside the c-th axis.
struct Blobs {
  Tensor x;
  std::vector<std::int64_t> labels;

  explicit Blobs(std::int64_t per_class, std::uint64_t seed, DType type = DType::f32)
      : x(normal({classes * per_class, dim}, seed, type)) {
    for (std::int64_t i = 0; i < x.dim(0); ++i) {
      labels.push_back(i % classes);
      visit_float(type, [&]<class T>() { x.raw<T>()[i * dim + i % classes] += T(4); });
    }
  }
};

std::unique_ptr<Loss> make(const std::string& name, ParameterStore& store,
                           const Settings& settings = {}) {
  return Registry<Loss>::make(name, settings,
                              {.scope = Scope(store) / "loss",
                               .dim = dim,
                               .features = dim,
                               .classes = classes,
                               .epochs = 1});
}

double value(const std::string& name, const Tensor& x, const std::vector<std::int64_t>& of,
             Device& device, const Settings& settings = {}) {
  ParameterStore store(device, x.dtype());
  const auto loss = make(name, store, settings);
  const auto tape = Tape::infer(device);
  const Labels labels(of, classes);
  const Var z = tape->input(x);
  return (*loss)({.embedding = z, .features = z, .labels = labels}).value().item();
}

/// Losses that draw random triplets, want unit rows or two views, read the batch as a sequence or
/// remember the batches before have tests of their own.
bool has_own_tests(const std::string& name) {
  static const std::set<std::string> names{
      "lm_metric",          "revisiting_contrastive", "revisiting_triplet",
      "revisiting_margin",  "revisiting_angular",     "revisiting_quadruplet",
      "revisiting_snr",     "revisiting_npair",       "revisiting_histogram",
      "cross_batch_memory", "self_supervised"};
  return names.contains(name);
}

TEST_CASE("losses: a step against the gradient lowers every one") {
  for (const std::string& name : Registry<Loss>::names()) {
    CAPTURE(name);
    if (has_own_tests(name)) continue;
    Device device(Backend::cpu, 2);
    ParameterStore store(device);
    const Blobs blobs(images, 1);
    Parameter& z = store.add("z", blobs.x.shape(), init::zeros());
    z.value = blobs.x.clone();
    // A mean over active triplets alone rises when easy ones leave it.
    const auto loss =
        make(name, store, name == "snr_triplet" ? Settings{{"reducer", "mean"}} : Settings{});
    // Published rates of proxies are no small steps.
    for (Parameter& parameter : store.all()) parameter.lr_scale = 1;
    const Labels labels(blobs.labels, classes);
    const auto run = [&](bool train) {
      const auto tape = train ? Tape::train(device) : Tape::infer(device);
      const Var x = tape->leaf(z);
      const Var y = (*loss)({.embedding = x, .features = x, .labels = labels});
      CHECK(y.shape() == Shape{});
      if (train) tape->backward(y);
      return y.value().item();
    };
    const double before = run(true);
    CHECK(std::isfinite(before));
    // Diffusion over 70 points leaves each of them a small gradient.
    const char* rate = name == "manifold" ? "1" : "0.01";
    Registry<Optimizer>::make("sgd", {{"lr", rate}, {"momentum", "0"}}, {store})->step(device, 1);
    CHECK(run(false) < before);
  }
}

TEST_CASE("losses: the order of the batch does not matter (without anchors)") {
  Device device(Backend::reference);
  const Blobs blobs(images, 2, DType::f64);
  Tensor x = blobs.x.clone();
  std::vector<std::int64_t> labels = blobs.labels;
  const std::int64_t n = x.dim(0);
  for (std::int64_t i = 0; i < n / 2; ++i) {
    std::swap_ranges(x.raw<double>() + i * dim, x.raw<double>() + (i + 1) * dim,
                     x.raw<double>() + (n - 1 - i) * dim);
    std::swap(labels[static_cast<std::size_t>(i)], labels[static_cast<std::size_t>(n - 1 - i)]);
  }
  for (const std::string& name : Registry<Loss>::names()) {
    if (name == "n_pairs") continue;  // takes the first pair of every class
    CAPTURE(name);
    // The one counts ranks of labels as columns, the other draws a proxy for every row.
    if (name == "instance" || name == "manifold") continue;
    if (has_own_tests(name)) continue;
    const Settings settings = name == "group" ? Settings{{"anchors", "0"}} : Settings{};
    CHECK(value(name, x, labels, device, settings) ==
          doctest::Approx(value(name, blobs.x, blobs.labels, device, settings)).epsilon(1e-12));
  }
}

TEST_CASE("pearson: hand-computed, cut at zero, and free of scale and offset") {
  Device device(Backend::reference);
  const auto tape = Tape::infer(device);
  const Tensor x = Tensor::of<double>({3, 3}, {1, 2, 3, 10, 20, 60, 5, 4, 3});
  const Tensor w = pearson_similarity(tape->input(x)).value();
  // Centred rows (-1,0,1), (-20,-10,30), (1,0,-1).
  const double r = 50 / std::sqrt(2.0 * 1400);
  const std::vector<double> expected{1, r, 0, r, 1, 0, 0, 0, 1};
  for (std::size_t i = 0; i < 9; ++i)
    CHECK(w.data<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

TEST_CASE("group loss: hand-computed batch of two") {
  // Two anti-correlated rows of two classes: W is the identity, dynamics square the probabilities.
  Device device(Backend::reference);
  const auto tape = Tape::infer(device);
  const Var f = tape->input(Tensor::of<double>({2, 2}, {1, 0, 0, 1}));
  const Var z = tape->input(Tensor::of<double>({2, 2}, {std::log(3.0), 0, 0, 0}));
  const Labels labels({0, 1}, 2);
  const GroupLossTerms terms =
      group_loss({.features = f, .logits = z, .labels = labels, .anchors = {1}},
                 {.temperature = 1, .iterations = 1, .scaling = 2, .ce_weight = 0.5});
  // Row 0: (3/4, 1/4) -> (9/10, 1/10); row 1 is known.
  CHECK(terms.states[1].value().data<double>()[0] == doctest::Approx(0.9));
  const double group = (-std::log(0.9 + 1e-12) - std::log(1 + 1e-12)) / 2;
  const double ce = (-std::log(0.75) - std::log(0.5)) / 2;
  CHECK(terms.group.value().item() == doctest::Approx(group).epsilon(1e-12));
  CHECK(terms.loss.value().item() == doctest::Approx(2 * group + 0.5 * ce).epsilon(1e-12));
}

TEST_CASE("group loss: gradient agrees with central differences for every prior") {
  Device device(Backend::reference);
  const Tensor f = normal({6, 5}, 3, DType::f64), z = normal({6, 4}, 4, DType::f64);
  const Labels labels({0, 0, 2, 2, 2, 0}, 4);
  for (const GroupPrior prior :
       {GroupPrior::softmax, GroupPrior::uniform, GroupPrior::only_classes}) {
    const GroupLossOptions options{.temperature = 1.5, .iterations = 3, .prior = prior};
    const auto compute = [&](const Tensor& a, const Tensor& b, std::vector<Tensor>* gradients) {
      const auto tape = Tape::train(device);
      const Var x = tape->variable(a), y = tape->variable(b);
      const Var loss =
          group_loss({.features = x, .logits = y, .labels = labels, .anchors = {0, 2}}, options)
              .loss;
      const double number = loss.value().item();
      if (gradients != nullptr) {
        tape->backward(loss);
        *gradients = {tape->gradient(x), tape->gradient(y)};
      }
      return number;
    };
    std::vector<Tensor> gradients;
    compute(f, z, &gradients);
    for (int which = 0; which < 2; ++which) {
      const Tensor& x = which == 0 ? f : z;
      for (std::int64_t i = 0; i < x.size(); ++i) {
        Tensor up = x.clone(), down = x.clone();
        up.raw<double>()[i] += 1e-6;
        down.raw<double>()[i] -= 1e-6;
        const double slope = which == 0 ? compute(up, z, nullptr) - compute(down, z, nullptr)
                                        : compute(f, up, nullptr) - compute(f, down, nullptr);
        CHECK(gradients[static_cast<std::size_t>(which)].raw<double>()[i] ==
              doctest::Approx(slope / 2e-6).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("group loss: what its batch must be") {
  Device device(Backend::cpu, 1);
  ParameterStore store(device);
  const auto loss = make("group", store, {{"anchors", "3"}});
  CHECK(loss->requirements().images_per_class == 4);
  CHECK(store.find("loss.classifier.weight")->value.shape() == Shape{classes, dim});
  CHECK(store.find("loss.classifier.bias")->value.shape() == Shape{classes});
  const auto tape = Tape::train(device);
  const Var x = tape->input(Tensor({2, dim}, DType::f32));
  const Labels wrong({0, 0, 1}, classes), foreign({0, 5}, 6);
  CHECK_THROWS_AS((*loss)({.embedding = x, .features = x, .labels = wrong}), ShapeError);
  CHECK_THROWS_WITH_AS((*loss)({.embedding = x, .features = x, .labels = foreign}),
                       doctest::Contains("labels of 6 classes"), ShapeError);
  CHECK_THROWS_WITH_AS(Registry<Loss>::make("grup", {}, {.scope = Scope(store)}),
                       doctest::Contains("did you mean 'group'"), UsageError);
  // A row without variance has no correlation: the loss says so.
  const Labels labels({0, 1}, classes);
  CHECK(std::isnan((*loss)({.embedding = x, .features = x, .labels = labels}).value().item()));
  CHECK(loss->diagnostics().count("group") == 1);
  CHECK(loss->diagnostics().count("cross_entropy") == 1);
}

/// A net of two layers on blobs, trained with a loss; recall of its embedding on fresh blobs.
double learn(const std::string& name, std::uint64_t seed) {
  Device device(Backend::cpu, 2);
  ParameterStore store(device, DType::f32, seed);
  const Scope root(store);
  // Noise swamps the input: the net has to find the axes that matter.
  const auto noisy = [](Blobs blobs) {
    for (std::int64_t i = 0; i < blobs.x.dim(0); ++i)
      for (std::int64_t c = classes; c < dim; ++c) blobs.x.raw<float>()[i * dim + c] *= 12;
    return blobs;
  };
  Parameter& w1 = root.parameter("w1", {32, dim}, init::uniform(0.35));
  Parameter& b1 = root.parameter("b1", {32}, init::zeros());
  Parameter& w2 = root.parameter("w2", {dim, 32}, init::uniform(0.17));
  const auto loss = make(name, store);
  const auto optimizer = Registry<Optimizer>::make("adam", {{"lr", "0.01"}}, {store});
  const auto embed = [&](Tape& tape, const Tensor& x) {
    const Var hidden = relu(linear(tape.input(x), tape.leaf(w1), tape.leaf(b1)));
    return linear(hidden, tape.leaf(w2), Var{});
  };
  for (std::uint64_t step = 0; step < 300; ++step) {
    const Blobs batch = noisy(Blobs(images, 100 + step));
    const Labels labels(batch.labels, classes);
    const auto tape = Tape::train(device);
    const Var z = embed(*tape, batch.x);
    tape->backward((*loss)({.embedding = z, .features = z, .labels = labels}));
    optimizer->step(device, 1);
    store.clear_gradients();
  }
  const Blobs fresh = noisy(Blobs(25, 7));
  const auto tape = Tape::infer(device);
  return evaluate(device, {.embeddings = embed(*tape, fresh.x).value(), .labels = fresh.labels},
                  make_metrics("recall@1"))
      .at("R@1");
}

TEST_CASE("losses: a net of two layers learns separable blobs") {
  for (const char* name : {"group", "softmax"}) {
    CAPTURE(name);
    CHECK(learn(name, 1) > 0.95);
  }
}

}  // namespace
}  // namespace dml
